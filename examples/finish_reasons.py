"""Find out whether an answer is complete, and keep the part that has arrived."""

from __future__ import annotations

import os

import httpx

from ssejet import Stream, StreamError
from ssejet.chat import ChatCompletionChunk, ChatCompletionStream
from ssejet.errors import ContentFilterFinishReasonError, LengthFinishReasonError

URL = os.environ.get("OPENAI_BASE_URL", "https://api.openai.com/v1") + "/chat/completions"
HEADERS = {"Authorization": f"Bearer {os.environ.get('OPENAI_API_KEY', '')}"}


def ask(question: str) -> str:
    body = {
        "model": "gpt-5-mini",
        "messages": [{"role": "user", "content": question}],
        "max_completion_tokens": 5,
        "stream": True,
    }
    with httpx.stream("POST", URL, headers=HEADERS, json=body) as response:
        source = Stream(response, cast_to=ChatCompletionChunk, require_done=True)
        stream = ChatCompletionStream(source, require_finish=True)
        try:
            choice = stream.get_final_completion().choices[0]
        except LengthFinishReasonError as error:
            return f"too long, so far: {error.completion.choices[0].message.content}"
        except ContentFilterFinishReasonError as error:
            return f"filtered, so far: {error.completion.choices[0].message.content}"
        except StreamError as error:
            so_far = error.partial.choices[0].message.content if error.partial else None
            return f"{type(error).__name__}, retryable: {error.retryable}, so far: {so_far}"
    return f"{choice.finish_reason}: {choice.message.content}"


for question in ("Say hello.", "Recite the Odyssey.", "Curse.", "Hang up on me.", "Break."):
    print(ask(question))
