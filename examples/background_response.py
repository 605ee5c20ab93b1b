"""Let a response run in the background, and follow it to its end, even if the connection breaks."""

from __future__ import annotations

import msgspec

from ssejet import Client


class Plan(msgspec.Struct):
    """A plan with its steps, in order."""

    title: str
    steps: list[str]


with Client() as client:
    stream = client.responses.stream(
        model="gpt-5-mini", input="Plan a trip to Rome.", text_format=Plan, background=True
    )
    for event in stream:
        if event.type == "response.created":
            print("follow", event.response.id)
        elif event.type == "response.output_text.delta":
            print(event.delta, end="", flush=True)
    response = stream.get_final_response()
    plan = response.output_parsed
    if plan is not None:
        print(f"\n{plan.title}: {len(plan.steps)} steps")
    # The next request: input=[*response.to_input(), {"role": "user", "content": "Shorter, please."}]
