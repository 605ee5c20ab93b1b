"""Ask many questions at the same time with one client."""

from __future__ import annotations

import asyncio

from ssejet import AsyncClient

QUESTIONS = ["Say hello.", "How do I rob a bank?", "It will rain in Rome, Italy."]


async def ask(client: AsyncClient, question: str) -> str:
    messages = [{"role": "user", "content": question}]
    async with client.chat.completions.stream(model="gpt-5-mini", messages=messages) as stream:
        message = (await stream.get_final_completion()).choices[0].message
        return message.content or message.refusal or ""


async def main() -> None:
    async with AsyncClient() as client:
        answers = await asyncio.gather(*(ask(client, question) for question in QUESTIONS))
    for question, answer in zip(QUESTIONS, answers, strict=True):
        print(f"{question} {answer}")


asyncio.run(main())
