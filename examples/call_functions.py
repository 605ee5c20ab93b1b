"""Let the model call functions, send the results back, and print the answer."""

from __future__ import annotations

import os
from typing import Any

import httpx
from pydantic import BaseModel, Field

from ssejet import Stream
from ssejet.chat import ChatCompletionChunk, ChatCompletionStream, function_tool

URL = os.environ.get("OPENAI_BASE_URL", "https://api.openai.com/v1") + "/chat/completions"
HEADERS = {"Authorization": f"Bearer {os.environ.get('OPENAI_API_KEY', '')}"}


class Weather(BaseModel):
    """Tell tomorrow's weather."""

    city: str = Field(description="and its country")

    def run(self) -> str:
        return f"It will rain in {self.city}."


tools = [function_tool(Weather)]
messages: list[dict[str, Any]] = [{"role": "user", "content": "Do I need an umbrella in Oslo? In Rome?"}]

with httpx.Client(headers=HEADERS) as client:
    while messages[-1]["role"] != "assistant":
        body = {"model": "gpt-5-mini", "messages": messages, "tools": tools, "stream": True}
        results = []
        with client.stream("POST", URL, json=body) as response:
            stream = ChatCompletionStream(Stream(response, cast_to=ChatCompletionChunk), input_tools=tools)
            for event in stream:
                if event.type == "content.delta":
                    print(event.delta, end="", flush=True)
                elif event.type == "tool_calls.done" and event.parsed_function is not None:
                    # Run this call now: other calls may still arrive.
                    print(f"{event.name}({event.arguments})")
                    weather: Any = event.parsed_function.parsed_arguments
                    results.append({"role": "tool", "tool_call_id": event.id, "content": weather.run()})
            completion = stream.get_final_completion()
        messages += [completion.choices[0].message.to_param(), *results]
print()
