"""Let a model of Anthropic's API, or of a server that speaks it, think and call a function."""

from __future__ import annotations

from typing import Any

import msgspec

from ssejet import Client


class Weather(msgspec.Struct):
    """Tell the weather in a city."""

    city: str


# Set ANTHROPIC_API_KEY; for another server, ANTHROPIC_BASE_URL too, such as http://127.0.0.1:8000 for vLLM.
with Client.for_provider("anthropic") as client:
    conversation: list[Any] = [{"role": "user", "content": "Do I need an umbrella in Oslo?"}]
    while True:
        with client.messages.stream(
            model="claude-sonnet-4-5", max_tokens=2000, messages=conversation, tools=[Weather]
        ) as stream:
            for event in stream:
                if event.type == "thinking":
                    print(f"({event.thinking})", end="", flush=True)
                elif event.type == "text":
                    print(event.text, end="", flush=True)
                elif event.type == "content_block_stop":
                    print()
            message = stream.get_final_message()
        # The next request needs the whole message, with the signatures of its thinking.
        conversation.append(message)
        if message.stop_reason != "tool_use":
            break
        results = []
        for call in message.tool_uses:
            weather = msgspec.convert(call.input, Weather)
            print(f"{call.name}({weather.city})")
            results.append({"type": "tool_result", "tool_use_id": call.id, "content": "Rain."})
        conversation.append({"role": "user", "content": results})
