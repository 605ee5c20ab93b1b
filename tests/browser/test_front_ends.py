"""The streams for front ends, read by the packages that read them in front ends."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import flask
import model_events
import node
import pytest
from starlette.applications import Starlette
from starlette.routing import Route

from ssejet import APIError, ServerSentEvent
from ssejet.chat import ChatCompletionChunk, ChatCompletionStreamState
from ssejet.cli._server import loopback_server
from ssejet.emit import ag_ui, ai_sdk
from ssejet.emit.flask import event_stream_response
from ssejet.emit.starlette import EventStreamResponse

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from starlette.requests import Request
    from starlette.responses import Response

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def _later(events: list[Any]) -> AsyncIterator[Any]:
    for event in events:
        if isinstance(event, Exception):
            raise event
        yield event


def _now(events: list[Any]) -> Iterator[Any]:
    for event in events:
        if isinstance(event, Exception):
            raise event
        yield event


async def read_ai_sdk(events: list[Any], *, resume: bool = False, **options: Any) -> dict[str, Any]:
    async def endpoint(request: Request) -> Response:
        return EventStreamResponse(ai_sdk.astream(_later(events), **options), headers=ai_sdk.HEADERS)

    node.packages()
    with loopback_server(Starlette(routes=[Route("/", endpoint, methods=["GET", "POST"])])) as url:
        found: dict[str, Any] = await node.run(
            node.HERE / "read_ai_sdk.mjs", given={"url": url, "resume": resume}
        )
        return found


async def read_ag_ui(events: list[Any]) -> dict[str, Any]:
    async def endpoint(request: Request) -> Response:
        run = await request.json()
        stream = ag_ui.astream(_later(events), thread_id=run["threadId"], run_id=run["runId"])
        return EventStreamResponse(stream)

    node.packages()
    with loopback_server(Starlette(routes=[Route("/", endpoint, methods=["POST"])])) as url:
        found: dict[str, Any] = await node.run(node.HERE / "read_ag_ui.mjs", given={"url": url})
        return found


def parts(found: dict[str, Any]) -> list[tuple[Any, ...]]:
    """What is told by each part of the only message."""
    (message,) = found["messages"]
    return [_told(part) for part in message["parts"]]


def _told(part: dict[str, Any]) -> tuple[Any, ...]:
    kind = part["type"]
    if kind in {"text", "reasoning"}:
        return kind, part["text"], part["state"]
    if kind.startswith("tool-"):
        output = part.get("output") or part.get("errorText")
        return kind, part["toolCallId"], part["state"], part["input"], output
    if kind == "source-url":
        return kind, part["url"], part.get("title")
    if kind == "source-document":
        return kind, part["title"], part.get("filename")
    return (kind,) if kind == "step-start" else (kind, part.get("data"))


TOKENS = {
    "inputTokens": 10,
    "outputTokens": 20,
    "totalTokens": 30,
    "reasoningTokens": 5,
    "cachedInputTokens": 4,
}

CHAT = [
    ("step-start",),
    ("reasoning", "Let me see.", "done"),
    ("text", "I'll look … 你😀", "done"),
    ("source-url", "https://example.com/", "Example"),
    ("tool-weather", "call_1", "output-available", {"city": "Oslo"}, {"degrees": "7"}),
    ("tool-time", "call_2", "output-error", {}, "no clock"),
    ("step-start",),
    ("text", "7 °C.", "done"),
]


async def test_the_ai_sdk_reads_a_chat_completion_with_tools_and_a_second_model_call() -> None:
    found = await read_ai_sdk(model_events.chat(), metadata={"user": 7})
    assert (found["error"], found["status"]) == (None, "ready")
    assert found["finish"] == {"finishReason": "stop", "isAbort": False, "isError": False}
    assert parts(found) == CHAT
    (message,) = found["messages"]
    assert message["id"] == "chat-1"
    assert message["metadata"]["user"] == 7
    assert message["metadata"]["usage"] == {name: 2 * count for name, count in TOKENS.items()}
    first, second = message["metadata"]["steps"]
    assert (first["id"], first["model"], first["finishReason"]) == ("chat-1", "m-1", "tool_calls")
    assert first["usage"] == model_events.USAGE
    assert (second["id"], second["finishReason"]) == ("chat-2", "stop")
    deltas = [chunk["inputTextDelta"] for chunk in found["chunks"] if chunk["type"] == "tool-input-delta"]
    assert deltas == ['{"city": ', '"Oslo"}', "{}"]


async def test_the_events_of_a_managed_stream_give_what_its_chunks_give() -> None:
    events: list[Any] = []
    state: ChatCompletionStreamState[None] | None = None
    for item in model_events.chat():
        if isinstance(item, ai_sdk.ToolOutput) or (state and item.id != state.current_completion_snapshot.id):
            events += [] if state is None else state.finish()
            state = None
        if isinstance(item, ai_sdk.ToolOutput):
            events.append(item)
            continue
        state = state or ChatCompletionStreamState()
        events += state.handle_chunk(item)
    assert state is not None
    events += state.finish()
    assert _without_ids(ai_sdk.stream(events)) == _without_ids(ai_sdk.stream(model_events.chat()))


async def test_the_ai_sdk_reads_the_responses_api() -> None:
    found = await read_ai_sdk(model_events.responses(), message_id="mine")
    assert (found["error"], found["finish"]["finishReason"]) == (None, "tool-calls")
    told = parts(found)
    assert told[:2] == [("step-start",), ("reasoning", "Hmm.", "done")]
    assert ("reasoning", "", "done") in told
    search, dice, weather = [each for each in told if each[0].startswith("tool-")]
    assert search[:4] == (
        "tool-web_search",
        "ws_1",
        "output-available",
        {"action": {"type": "search", "query": "q"}},
    )
    assert dice == ("tool-roll", "mcp_1", "output-available", {"n": 2}, "7")
    assert weather == ("tool-weather", "call_9", "input-available", {"city": "Rome"}, None)
    assert ("text", "Sunny.", "done") in told
    assert ("source-url", "https://example.com/", "Example") in told
    assert ("source-document", "a.pdf", "a.pdf") in told
    (message,) = found["messages"]
    assert message["id"] == "mine"
    assert message["metadata"]["usage"] == TOKENS
    by_provider = [part.get("providerExecuted", False) for part in message["parts"] if "toolCallId" in part]
    assert by_provider == [True, True, False]
    (encrypted,) = [part for part in message["parts"] if part["type"] == "reasoning" and not part["text"]]
    assert encrypted["providerMetadata"]["openai"] == {
        "reasoningEncryptedContent": "secret",
        "itemId": "rs_1",
    }


async def test_the_ai_sdk_reads_the_messages_api() -> None:
    found = await read_ai_sdk(model_events.messages())
    assert (found["error"], found["finish"]["finishReason"]) == (None, "tool-calls")
    result = [{"type": "web_search_result", "url": "https://example.com/", "title": "Example"}]
    assert parts(found) == [
        ("step-start",),
        ("reasoning", "Hmm.", "done"),
        ("tool-web_search", "srv_1", "output-available", {"query": "q"}, result),
        ("source-url", "https://example.com/", "Example"),
        ("text", "Sunny.", "done"),
        ("source-document", "a.pdf", None),
        ("tool-weather", "toolu_1", "input-available", {"city": "Rome"}, None),
    ]
    (message,) = found["messages"]
    assert message["metadata"]["usage"] == {
        name: TOKENS[name] for name in TOKENS if name != "reasoningTokens"
    }
    (thinking,) = [part for part in message["parts"] if part["type"] == "reasoning"]
    assert thinking["providerMetadata"] == {"anthropic": {"signature": "signed"}}


def _without_ids(pieces: Any) -> bytes:
    return re.sub(rb"[0-9a-f]{12}-(?=\d)", b"", b"".join(pieces))


@pytest.mark.parametrize("events", [model_events.chat, model_events.responses, model_events.messages])
@pytest.mark.parametrize("kind", ["ai_sdk", "ag_ui"])
async def test_sync_and_async_streams_are_the_same_and_flask_sends_them(
    events: Callable[[], list[Any]], kind: str
) -> None:
    if kind == "ai_sdk":
        sync, later = ai_sdk.stream(_now(events())), ai_sdk.astream(_later(events()))
    else:
        run = {"thread_id": "t", "run_id": "r"}
        sync, later = ag_ui.stream(_now(events()), **run), ag_ui.astream(_later(events()), **run)
    app = flask.Flask("test")
    with app.test_request_context():
        response = event_stream_response(sync, headers=ai_sdk.HEADERS)
    assert response.headers["x-vercel-ai-ui-message-stream"] == "v1"
    assert _without_ids([response.get_data()]) == _without_ids([piece async for piece in later])


ERROR = APIError("Too many.", body={"error": {"message": "Too many.", "code": "overloaded"}}, request=None)


async def test_an_error_of_the_server_reaches_the_front_end_and_no_other_details_do() -> None:
    begun = model_events.chat()[:4]
    found = await read_ai_sdk([*begun, ERROR])
    assert (found["error"], found["status"]) == ("Too many.", "error")
    assert parts(found)[-1] == ("text", "I'll ", "done")
    found = await read_ai_sdk([*begun, ValueError("secret")])
    assert found["status"] == "error"
    assert "secret" not in found["error"]
    found = await read_ag_ui([*begun, ERROR])
    last = found["events"][-1]
    assert (last["type"], last["message"], last["code"]) == ("RUN_ERROR", "Too many.", "overloaded")
    assert found["messages"][-1]["content"] == "I'll "


async def test_arguments_that_are_not_json_are_an_error_of_the_call() -> None:
    fragment = model_events.fragment(
        0, '{"city": ', id="call_1", type="function", function={"name": "weather"}
    )
    found = await read_ai_sdk([model_events.chunk(fragment), model_events.chunk({}, "length")])
    assert found["finish"]["finishReason"] == "length"
    assert parts(found)[-1][:4] == ("tool-weather", "call_1", "output-error", '{"city": ')


async def test_own_parts_and_dynamic_tools_are_sent() -> None:
    own = {"type": "data-weather", "id": "w", "data": {"degrees": "7"}}
    found = await read_ai_sdk(["Hello", own, *model_events.chat()[5:9]], dynamic_tools=True)
    assert found["error"] is None
    (message,) = found["messages"]
    kinds = [part["type"] for part in message["parts"]]
    assert kinds == ["text", "data-weather", "step-start", "dynamic-tool", "dynamic-tool"]


async def test_ag_ui_reads_a_chat_completion_with_tools_and_a_second_model_call() -> None:
    found = await read_ag_ui(model_events.chat())
    assert (found["error"], found["warnings"]) == (None, [])
    reasoning, assistant, one, two, last = found["messages"]
    assert (reasoning["role"], reasoning["content"]) == ("reasoning", "Let me see.")
    assert (assistant["role"], assistant["content"]) == ("assistant", "I'll look … 你😀")
    calls = [(call["id"], call["function"]) for call in assistant["toolCalls"]]
    assert calls == [
        ("call_1", {"name": "weather", "arguments": '{"city": "Oslo"}'}),
        ("call_2", {"name": "time", "arguments": "{}"}),
    ]
    assert (one["toolCallId"], one["content"]) == ("call_1", '{"degrees":"7"}')
    assert (two["toolCallId"], two["content"]) == ("call_2", "no clock")
    assert last["content"] == "7 °C."
    finished = found["events"][-1]
    assert finished["type"] == "RUN_FINISHED"
    assert finished["usage"] == [{"provider": "openai", "model": "m-1", **TOKENS}] * 2
    assert finished["outcome"] == {"type": "success"}
    assert finished["metadata"]["finishReason"] == "stop"
    (source,) = [event["value"] for event in found["events"] if event["type"] == "CUSTOM"]
    assert source == {"url": "https://example.com/", "title": "Example"}


@pytest.mark.parametrize("events", [model_events.responses, model_events.messages])
async def test_ag_ui_reads_the_responses_and_the_messages_api(events: Callable[[], list[Any]]) -> None:
    found = await read_ag_ui(events())
    assert (found["error"], found["warnings"]) == (None, [])
    by_role = {message["role"]: message for message in found["messages"]}
    assert {"reasoning", "assistant", "tool"} == set(by_role)
    calls = [call for message in found["messages"] for call in message.get("toolCalls", ())]
    assert calls[-1]["function"] == {"name": "weather", "arguments": '{"city": "Rome"}'}
    assert "Sunny." in [message.get("content") for message in found["messages"]]
    finished = found["events"][-1]
    assert finished["outcome"] == {"type": "success", "pendingToolCallIds": [calls[-1]["id"]]}
    assert finished["usage"][0]["inputTokens"] == 10
    encrypted = [message.get("encryptedValue") for message in found["messages"]]
    assert {"secret", "signed"} & set(encrypted)


async def test_a_log_that_is_converted_already_is_passed_on_with_its_ids() -> None:
    converted = b"".join(ai_sdk.stream(model_events.chat()))
    log = [
        ServerSentEvent(event="message", data=data.decode(), id=f"a-{number}", retry=None)
        for number, data in enumerate(re.findall(rb"data: (.*)\n", converted), 1)
    ]
    end = ServerSentEvent(event="end", data='{"reason":"finished"}', id="a-99", retry=None)
    replayed = b"".join(ai_sdk.stream([*log, end]))
    assert re.sub(rb"id: a-\d+\n", b"", replayed) == converted
    assert replayed.count(b"id: a-") == len(log) - 1
    found = await read_ai_sdk([*log, end], resume=True)
    assert (found["error"], found["finish"]["finishReason"]) == (None, "stop")
    assert parts(found) == CHAT


async def test_what_a_log_reports_reaches_the_front_end() -> None:
    gap = ServerSentEvent(event="gap", data='{"reason":"lost","missed":null}', id="b-1", retry=None)
    body = '{"error":{"message":"The producer of this stream has disappeared."}}'
    error = ServerSentEvent(event="error", data=body, id="b-2", retry=None)
    end = ServerSentEvent(event="end", data="{}", id="b-3", retry=None)
    found = await read_ai_sdk([gap, error, end], resume=True)
    assert found["error"] == "The producer of this stream has disappeared."
    assert found["chunks"][1] == {
        "type": "data-gap",
        "data": {"reason": "lost", "missed": None},
        "transient": True,
    }


async def test_an_item_that_nobody_understands_is_an_error() -> None:
    with pytest.raises(TypeError, match="expected an event of a chat completion"):
        b"".join(ai_sdk.stream([object()], on_error="raise"))


def _rich_chat() -> list[Any]:
    """A chat completion with what is not text: log probabilities, audio, an image, OpenRouter's reasoning."""
    told = model_events.chunk({"content": "Hi"}).to_dict()
    told["choices"][0]["logprobs"] = {"content": [{"token": "Hi", "logprob": -0.5, "top_logprobs": []}]}
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,QUJD"}}
    return [
        model_events.chunk(
            {"reasoning": "Hm", "reasoning_details": [{"type": "reasoning.text", "text": "Hm"}]}
        ),
        ChatCompletionChunk.from_dict(told),
        model_events.chunk({"images": [image], "channel": "final"}),
        model_events.chunk({"audio": {"id": "a", "data": "AQI=", "transcript": "Hi!"}}),
        model_events.chunk({}, "stop"),
    ]


async def test_the_ai_sdk_reads_log_probabilities_audio_and_what_servers_add() -> None:
    found = await read_ai_sdk(_rich_chat())
    assert (found["error"], found["finish"]["finishReason"]) == (None, "stop")
    (message,) = found["messages"]
    by_kind: dict[str, list[Any]] = {}
    for part in message["parts"]:
        by_kind.setdefault(part["type"], []).append(part)
    (reasoning,) = by_kind["reasoning"]
    assert reasoning["providerMetadata"]["openai"]["reasoningDetails"][0]["text"] == "Hm"
    spoken, text = sorted(by_kind["text"], key=lambda part: -len(part["text"]))
    assert text["providerMetadata"]["openai"]["logprobs"][0]["token"] == "Hi"
    assert (spoken["text"], spoken["providerMetadata"]["openai"]) == ("Hi!", {"transcript": True})
    assert [file["mediaType"] for file in by_kind["file"]] == ["image/png", "audio/pcm"]
    # Transient parts reach onData, and no message.
    assert {kind for kind in by_kind if kind.startswith("data-")} == set()
    live = {chunk["type"] for chunk in found["chunks"] if chunk["type"].startswith("data-")}
    assert live == {"data-openai-audio", "data-openai-delta"}


async def test_ag_ui_reads_log_probabilities_audio_and_what_servers_add() -> None:
    found = await read_ag_ui(_rich_chat())
    assert (found["error"], found["warnings"]) == (None, [])
    assert [message["content"] for message in found["messages"]] == ["Hm", "Hi", "Hi!"]
    ends = [
        event["metadata"]
        for event in found["events"]
        if event["type"] == "TEXT_MESSAGE_END" and "metadata" in event
    ]
    assert [metadata["logprobs"][0]["token"] for metadata in ends] == ["Hi"]
    (thought,) = [event for event in found["events"] if event["type"] == "REASONING_MESSAGE_END"]
    assert thought["metadata"]["reasoningDetails"][0]["text"] == "Hm"
    custom = [event["name"] for event in found["events"] if event["type"] == "CUSTOM"]
    assert custom == ["file", "openai-delta", "openai-audio", "file"]
