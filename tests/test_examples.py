"""Every example, run as its reader runs it, against a server that answers as it expects."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from starlette.applications import Starlette
from starlette.responses import StreamingResponse
from starlette.routing import Route

from ssejet.cli._server import loopback_server
from ssejet.testing._endpoints.messages import Messages as MessagesEndpoint
from ssejet.testing._endpoints.responses import Responses as ResponsesEndpoint

if TYPE_CHECKING:
    from collections.abc import Iterator

    from starlette.requests import Request

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parent.parent
EXAMPLES = ROOT / "examples"
FIXTURES = ROOT / "tests" / "chat" / "fixtures"

requests: list[dict[str, Any]] = []
"""The bodies of the requests since a test began."""


def chunk(delta: dict[str, Any], finish: str | None = None, **fields: Any) -> dict[str, Any]:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    base = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1763683200, "model": "m"}
    return {**base, "choices": [choice], **fields}


def answer(*texts: str, name: str = "content", finish: str = "stop") -> list[dict[str, Any]]:
    return [
        chunk({"role": "assistant", name: ""}),
        *(chunk({name: text}) for text in texts),
        chunk({}, finish),
    ]


def tool_call(index: int, city: str) -> list[dict[str, Any]]:
    function = {"name": "Weather", "arguments": ""}
    whole = {"index": index, "id": f"call_{index}", "type": "function", "function": function}
    arguments = json.dumps({"city": city})
    return [
        chunk({"tool_calls": [whole]}),
        *(
            chunk({"tool_calls": [{"index": index, "function": {"arguments": piece}}]})
            for piece in (arguments[:6], arguments[6:])
        ),
    ]


USAGE = {"prompt_tokens": 9, "completion_tokens": 3, "total_tokens": 12}
RECIPE = ['{"title": "Pan', 'cakes", "ingredients": ["flour", "mi', 'lk", "eggs"', '], "minutes": 20}']
ERROR = {"error": {"message": "overloaded", "type": "overloaded_error"}}

# By the last message of a request: the chunks, and whether the sentinel follows.
ANSWERS: dict[str, tuple[list[dict[str, Any]], bool]] = {
    "Say hello.": ([*answer("Hel", "lo", "!"), {**chunk({}), "choices": [], "usage": USAGE}], True),
    "Do I need an umbrella in Oslo? In Rome?": (
        [*tool_call(0, "Oslo, Norway"), *tool_call(1, "Rome, Italy"), chunk({}, "tool_calls")],
        True,
    ),
    "It will rain in Rome, Italy.": (answer("Take ", "two."), True),
    "How do I make pancakes?": (answer(*RECIPE), True),
    "How do I rob a bank?": (answer("I can't ", "help with that.", name="refusal"), True),
    "Recite the Odyssey.": (answer("Tell me,", " O Muse", finish="length"), True),
    "Curse.": (answer("D", finish="content_filter"), True),
    "Hang up on me.": (answer("Good", "bye")[:3], False),
    "Break.": ([*answer("Oh")[:2], ERROR], False),
}

EXPECTED = {
    "client_concurrent": (
        "Say hello. Hello!\n"
        "How do I rob a bank? I can't help with that.\n"
        "It will rain in Rome, Italy. Take two.\n"
    ),
    "print_deltas": "Hello!\n",
    "with_aiohttp": "Hello!\n",
    "with_http_client": "Hello!\n",
    "with_niquests": "Hello!\n",
    "with_requests": "Hello!\n",
    "with_urllib3": "Hello!\n",
    "collect_message": (
        "Hello!\n"
        "assistant said 6 characters\n"
        "for the next request: {'role': 'assistant', 'content': 'Hello!'}\n"
    ),
    "call_functions": ('Weather({"city": "Oslo, Norway"})\nWeather({"city": "Rome, Italy"})\nTake two.\n'),
    "structured_output": "- flour\n- milk\n- eggs\nPancakes: 3 ingredients, 20 minutes\n",
    "refusal": "I can't help with that.\nrefused in 23 characters\nplan: None\n",
    "finish_reasons": (
        "stop: Hello!\n"
        "too long, so far: Tell me, O Muse\n"
        "filtered, so far: D\n"
        "TruncatedStreamError, retryable: True, so far: Goodbye\n"
        "APIError, retryable: True, so far: Oh\n"
    ),
}

REASONING = {
    "deepseek_reasoning": (
        "The larger is 9.8.\n--- thought in 18 characters ---\n9.8 > 9.11\n29 tokens, finish reason stop\n"
    ),
    "qwen_thinking": "用户在问候。\n--- thought in 6 characters ---\n你好！\n17 tokens, finish reason stop\n",
    "qwen_tools": (
        "\n"
        'get_current_weather({"location": "杭州市"})\n'
        'get_current_weather({"location": "上海市"})\n'
        "297 tokens, finish reason tool_calls\n"
    ),
    "glm_thinking": (
        "\nSay it in Portuguese.\n--- thought in 22 characters ---\n\nOlá!\n28 tokens, finish reason stop\n"
    ),
    "glm_tools": (
        "\nTwo cities, two calls.\n--- thought in 23 characters ---\n\n"
        'get_weather({"city":"北京"})\n'
        'get_weather({"city":"东京"})\n'
        "240 tokens, finish reason tool_calls\n"
    ),
}


async def chat_completions(request: Request) -> StreamingResponse:
    body = await request.json()
    requests.append(body)
    fixture = FIXTURES / f"{body['model']}.sse"
    if fixture.exists():
        parts = [fixture.read_bytes()]
    else:
        chunks, done = ANSWERS[body["messages"][-1]["content"]]
        parts = [f"data: {json.dumps(each)}\n\n".encode() for each in chunks]
        parts += [b"data: [DONE]\n\n"] if done else []
    return StreamingResponse(iter(parts), media_type="text/event-stream")


def message(reason: str, *blocks: dict[str, Any]) -> str:
    """A stream of the Messages API."""
    items = MessagesEndpoint().stream(
        MessagesEndpoint().complete({"content": list(blocks), "stop_reason": reason}, {}), {}
    )
    return "".join(f"event: {item.event}\ndata: {json.dumps(item.data)}\n\n" for item in items)


async def messages(request: Request) -> StreamingResponse:
    body = await request.json()
    requests.append(body)
    if len(body["messages"]) == 1:
        answer = message(
            "tool_use",
            {"type": "thinking", "thinking": "Look it up.", "signature": "c2ln"},
            {"type": "tool_use", "id": "toolu_1", "name": "Weather", "input": {"city": "Oslo"}},
        )
    else:
        answer = message("end_turn", {"type": "text", "text": "Take one."})
    return StreamingResponse(iter([answer]), media_type="text/event-stream")


PLAN = json.dumps({"title": "Rome", "steps": ["eat", "walk"]})
RESPONSE_EVENTS = list(
    ResponsesEndpoint().stream(
        ResponsesEndpoint().complete(ResponsesEndpoint().from_text(PLAN) | {"id": "resp_1"}, {}), {}
    )
)


async def responses(request: Request) -> StreamingResponse:
    """A stream that breaks in the middle, and then the rest of it."""
    query = request.query_params
    requests.append(dict(query))
    after = int(query["starting_after"]) if "starting_after" in query else -1
    items = [item for item in RESPONSE_EVENTS if item.data["sequence_number"] > after]
    shown = items if after >= 0 else items[:6]
    lines = [f"event: {item.event}\ndata: {json.dumps(item.data)}\n\n" for item in shown]
    return StreamingResponse(iter(lines), media_type="text/event-stream")


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    app = Starlette(
        routes=[
            Route("/v1/chat/completions", chat_completions, methods=["POST"]),
            Route("/v1/messages", messages, methods=["POST"]),
            Route("/v1/responses", responses, methods=["POST"]),
            Route("/v1/responses/resp_1", responses),
        ]
    )
    with loopback_server(app) as base:
        yield f"{base}/v1"


def run(name: str, url: str, *arguments: str) -> str:
    requests.clear()
    environment = {**os.environ, "OPENAI_BASE_URL": url, "OPENAI_API_KEY": "none", "PYTHONUTF8": "1"}
    environment |= {"ANTHROPIC_BASE_URL": url.removesuffix("/v1"), "ANTHROPIC_API_KEY": "none"}
    done = subprocess.run(
        [sys.executable, "-W", "error", EXAMPLES / f"{name}.py", *arguments],
        capture_output=True,
        check=False,
        encoding="utf-8",
        env=environment,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


def test_every_example_is_tested() -> None:
    servers = {"fastapi_relay", "flask_relay"}  # tested in emit/test_example_relays.py
    telemetry = {"opentelemetry_genai"}  # tested in client/test_example_telemetry.py
    here = {*EXPECTED, "background_response", "client_chat", "count_tokens", "messages_tools", "reasoning"}
    assert {path.stem for path in EXAMPLES.glob("*.py")} == here | servers | telemetry


@pytest.mark.parametrize("name", EXPECTED)
def test_an_example_prints_what_it_says(name: str, url: str) -> None:
    assert run(name, url) == EXPECTED[name]


@pytest.mark.parametrize("model", REASONING)
def test_the_reasoning_of_every_provider_is_shown(model: str, url: str) -> None:
    assert run("reasoning", url, model) == REASONING[model]


def test_tokens_are_counted_and_timed(url: str) -> None:
    tokens, first, rate = run("count_tokens", url).splitlines()
    assert tokens == "9 tokens in, 3 tokens out"
    assert first.startswith("first chunk after 0.")
    assert rate.endswith(" tokens per second")


def test_an_answer_of_the_client_is_timed(url: str) -> None:
    text, tokens, first, others = run("client_chat", url).splitlines()
    assert text == "Hello!"
    assert tokens == "3 tokens by usage, 0 retries"
    assert re.fullmatch(r"the first after \d+ ms", first)
    assert re.fullmatch(r"then one every \d+\.\d ms \(median\)", others)


def test_a_response_in_the_background_is_followed_over_a_cut(url: str) -> None:
    assert run("background_response", url) == f"follow resp_1\n{PLAN}\nRome: 2 steps\n"
    assert requests[1:] == [{"stream": "true", "starting_after": "5"}]


def test_thinking_and_calls_of_the_messages_api_are_sent_back(url: str) -> None:
    assert run("messages_tools", url) == "(Look)( it)( up.)\n\nWeather(Oslo)\nTake one.\n"
    [first, second] = requests
    assert first["tools"][0]["input_schema"]["required"] == ["city"]
    call = {"type": "tool_use", "id": "toolu_1", "name": "Weather", "input": {"city": "Oslo"}}
    thinking = {"type": "thinking", "thinking": "Look it up.", "signature": "c2ln"}
    assert second["messages"][1] == {"role": "assistant", "content": [thinking, call]}
    assert second["messages"][2]["content"][0]["tool_use_id"] == "toolu_1"


def test_results_of_functions_are_sent_back(url: str) -> None:
    run("call_functions", url)
    [first, second] = requests
    assert first["tools"][0]["function"]["parameters"]["required"] == ["city"]
    assert second["messages"][1:] == [
        {
            "role": "assistant",
            "tool_calls": [
                {
                    "id": f"call_{index}",
                    "type": "function",
                    "function": {"name": "Weather", "arguments": json.dumps({"city": city})},
                }
                for index, city in enumerate(["Oslo, Norway", "Rome, Italy"])
            ],
        },
        {"role": "tool", "tool_call_id": "call_0", "content": "It will rain in Oslo, Norway."},
        {"role": "tool", "tool_call_id": "call_1", "content": "It will rain in Rome, Italy."},
    ]


def test_the_schema_of_the_answer_is_sent(url: str) -> None:
    run("structured_output", url)
    [request] = requests
    schema = request["response_format"]["json_schema"]["schema"]
    assert schema["required"] == ["title", "ingredients", "minutes"]
