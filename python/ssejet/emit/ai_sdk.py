"""Sends an answer in the AI SDK's protocol, "UI message stream" v1, which ``useChat`` reads.

::

    @app.post("/api/chat")
    async def chat(request: Request) -> EventStreamResponse:
        events = await client.chat.completions.create(..., stream=True)
        return EventStreamResponse(ai_sdk.astream(events), headers=ai_sdk.HEADERS)
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from ssejet._json import dumps
from ssejet.emit._front_ends.answer import INVALID, ToolOutput
from ssejet.emit._front_ends.codec import AsyncFrontEndStream, FrontEndCodec, FrontEndStream
from ssejet.emit._front_ends.kept import clear, event_response, source_of
from ssejet.emit._front_ends.protocol import Protocol
from ssejet.emit._front_ends.ui_parts import chunks_of_message

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, Callable, Iterable, Mapping, Sequence

    from starlette.responses import Response

    from ssejet.emit import AsyncEventStream, EventStream
    from ssejet.emit._emit_machine import OnError
    from ssejet.emit._front_ends.answer import Part, Step, Tool
    from ssejet.emit._front_ends.codec import EarlierChunk
    from ssejet.emit._front_ends.kept import KeepingHub
    from ssejet.emit.starlette import EventStreamResponse


__all__ = ["HEADERS", "ToolOutput", "answer", "astream", "resume", "stream"]

HEADERS = {"x-vercel-ai-ui-message-stream": "v1"}
"""The headers that the response needs beside those of an event stream."""

_DONE = "[DONE]"


def stream(
    events: Iterable[Any],
    *,
    message_id: str | None = None,
    messages: Sequence[Mapping[str, Any]] = (),
    metadata: Mapping[str, Any] | None = None,
    dynamic_tools: bool = False,
    heartbeat: float | None = 15.0,
    on_error: OnError = "event",
) -> EventStream[Any]:
    """Convert the events of models to a UI message stream.

    The events may be those of chat completions (chunks, or the events of a ``ChatCompletionStream``), of the
    Responses API and of the Messages API, ssejet's or the SDKs'. Those of several model calls may follow each
    other; between them, the application's ``ToolOutput`` objects answer tool calls. Text becomes a text part.
    A dict is sent unchanged, for data parts of your own: ``{"type": "data-weather", "data": …}``. The events
    of a stream that is converted already, such as those of ``hub.follow()``, are passed on with their ids.

    The message's metadata gets ``usage``, the tokens of all model calls, and ``steps``, with each call's
    ``id``, ``model``, ``finishReason`` and ``usage`` as the provider sent them. Anything else becomes a
    data part.

    Args:
        events: the events.
        message_id: the id of the message; by default that of the first model's answer.
        messages: those of the request. If the last one is the assistant's, because the page ran its tools,
            the answer continues that message and has its id.
        metadata: metadata that the message has from its beginning.
        dynamic_tools: whether tool calls become parts of the type ``dynamic-tool``, for tools that the front
            end does not know, instead of ``tool-<name>``.
        heartbeat: see ``EventStream``.
        on_error: see ``EventStream``. The client gets the message of an error that the model's server
            reports, and no details of others.
    """
    make_codec = partial(_codec, message_id or _continued(messages), metadata, dynamic_tools)
    return FrontEndStream(events, make_codec, heartbeat=heartbeat, on_error=on_error)


def astream(
    events: AsyncIterable[Any] | Iterable[Any],
    *,
    message_id: str | None = None,
    messages: Sequence[Mapping[str, Any]] = (),
    metadata: Mapping[str, Any] | None = None,
    dynamic_tools: bool = False,
    heartbeat: float | None = 15.0,
    on_error: OnError = "event",
) -> AsyncEventStream[Any]:
    """Do what ``stream`` does, for events that may be async."""
    make_codec = partial(_codec, message_id or _continued(messages), metadata, dynamic_tools)
    return AsyncFrontEndStream(events, make_codec, heartbeat=heartbeat, on_error=on_error)


async def answer(
    hub: KeepingHub,
    key: str,
    events: Callable[[], Any],
    *,
    message_id: str | None = None,
    messages: Sequence[Mapping[str, Any]] = (),
    metadata: Mapping[str, Any] | None = None,
    dynamic_tools: bool = False,
    on_error: OnError = "event",
) -> EventStreamResponse:
    """Start the answer to a chat's newest message in a hub, and send it.

    The answer goes on when its client leaves. It replaces the chat's last answer, which is stopped if it is
    still being made. ::

        @app.post("/api/chat")
        async def chat(request: Request) -> EventStreamResponse:
            asked = await request.json()
            messages = asked["messages"]
            key = f"{user.id}:{asked['id']}"
            return await ai_sdk.answer(hub, key, lambda: model(messages), messages=messages)

    Args:
        hub: keeps the answer.
        key: the key of its log: one for each chat of each user, because anybody with the key can read it.
        events: returns the events, or an awaitable of them; see ``stream``.
        message_id: see ``stream``.
        messages: see ``stream``.
        metadata: see ``stream``.
        dynamic_tools: see ``stream``.
        on_error: see ``stream``.

    Returns:
        A response of Starlette and FastAPI.
    """
    id = message_id or _continued(messages)
    earlier = tuple(chunks_of_message(messages[-1])) if _continued(messages) else ()
    make_codec = partial(_codec, id, metadata, dynamic_tools, earlier=earlier)
    source = source_of(events, lambda found: AsyncFrontEndStream(found, make_codec, on_error=on_error))
    await clear(hub, key)
    await hub.start(key, source)
    # This page already has the earlier part of the message.
    return _follow(hub, key, skips_earlier=True)


async def resume(hub: KeepingHub, key: str) -> Response:
    """Answer the request of ``useChat({ resume: true })`` for an answer that is still being made.

    The page gets the whole answer, from its beginning, and replaces the part that it has. The status is 204
    if there is no answer, or if it is complete: the application gives complete answers to the page. ::

        @app.get("/api/chat/{id}/stream")
        async def resume(id: str) -> Response:
            return await ai_sdk.resume(hub, f"{user.id}:{id}")

    Args:
        hub: keeps the answer.
        key: the key of its log.

    Returns:
        A response of Starlette and FastAPI.
    """
    if await hub.status(key) in {"live", "abandoned"}:
        return _follow(hub, key)
    from starlette.responses import Response

    return Response(status_code=204)


def _follow(hub: KeepingHub, key: str, *, skips_earlier: bool = False) -> EventStreamResponse:
    make_codec = partial(_codec, None, None, dynamic_tools=False, skips_earlier=skips_earlier)
    return event_response(AsyncFrontEndStream(hub.follow(key), make_codec, heartbeat=15.0), HEADERS)


def _continued(messages: Sequence[Mapping[str, Any]]) -> str | None:
    """The id of the message that an answer continues; None for a new message."""
    last = messages[-1] if messages else {}
    id = last.get("id")
    return id if last.get("role") == "assistant" and isinstance(id, str) else None


def _codec(
    message_id: str | None,
    metadata: Mapping[str, Any] | None,
    dynamic_tools: bool,
    *,
    earlier: Sequence[EarlierChunk] = (),
    skips_earlier: bool = False,
) -> FrontEndCodec:
    protocol = _UIMessageProtocol(message_id, dict(metadata or {}), dynamic_tools, earlier)
    return FrontEndCodec(protocol, _DONE, skips_earlier=skips_earlier)


class _UIMessageProtocol(Protocol):
    def __init__(
        self,
        message_id: str | None,
        metadata: dict[str, Any],
        dynamic_tools: bool,
        earlier: Sequence[EarlierChunk],
    ) -> None:
        super().__init__()
        self._earlier = earlier
        self._message_id = message_id
        self._metadata = metadata
        self._dynamic = {"dynamic": True} if dynamic_tools else {}

    def _write(self, type: str, **fields: Any) -> None:
        given = {name: value for name, value in fields.items() if value is not None and value != {}}
        self.chunks.append({"type": type, **given})

    def _of_provider(self, metadata: dict[str, Any]) -> dict[str, Any] | None:
        if not metadata:
            return None
        provider = self.answer.provider or "ssejet"
        # The metadata of sources already names the provider.
        return metadata if provider in metadata else {provider: metadata}

    def write_start(self, id: str) -> None:
        self._write("start", messageId=self._message_id or id or None, messageMetadata=self._metadata)
        self.chunks += self._earlier

    def write_step(self, step: Step) -> None:
        self._write("start-step")

    def write_part(self, part: Part) -> None:
        self._write(f"{part.kind}-start", id=part.id, providerMetadata=self._of_provider(part.metadata))

    def write_delta(self, part: Part, delta: str) -> None:
        self.chunks.append({"type": f"{part.kind}-delta", "id": part.id, "delta": delta})

    def write_part_end(self, part: Part) -> None:
        self._write(f"{part.kind}-end", id=part.id, providerMetadata=self._of_provider(part.metadata))

    def write_tool(self, tool: Tool) -> None:
        self._write(
            "tool-input-start",
            toolCallId=tool.id,
            toolName=tool.name,
            providerExecuted=tool.by_provider or None,
            inputEncoding="text" if tool.is_text else None,
            **self._dynamic,
        )

    def write_tool_delta(self, tool: Tool, delta: str) -> None:
        self.chunks.append({"type": "tool-input-delta", "toolCallId": tool.id, "inputTextDelta": delta})

    def write_tool_input(self, tool: Tool) -> None:
        common = {
            "toolCallId": tool.id,
            "toolName": tool.name,
            **({"providerExecuted": True} if tool.by_provider else {}),
            **self._dynamic,
        }
        if tool.input is INVALID:
            error = "The arguments of the call are not JSON."
            text = "".join(tool.pieces)
            self.chunks.append({"type": "tool-input-error", **common, "input": text, "errorText": error})
        else:
            self.chunks.append({"type": "tool-input-available", **common, "input": tool.input})

    def write_tool_output(self, tool: Tool, output: Any, *, is_error: bool) -> None:
        by_provider = {"providerExecuted": True} if tool.by_provider else {}
        if is_error:
            text = output if isinstance(output, str) else dumps(output).decode()
            answer = {"type": "tool-output-error", "toolCallId": tool.id, "errorText": text}
        else:
            answer = {"type": "tool-output-available", "toolCallId": tool.id, "output": output}
        self.chunks.append({**answer, **by_provider})

    def write_source(self, url: str, title: str | None, metadata: dict[str, Any]) -> None:
        provider = self._of_provider(metadata)
        self._write(
            "source-url", sourceId=self.answer.new_id(), url=url, title=title, providerMetadata=provider
        )

    def write_document(self, title: str, filename: str | None, metadata: dict[str, Any]) -> None:
        self._write(
            "source-document",
            sourceId=self.answer.new_id(),
            mediaType="application/octet-stream",
            title=title,
            filename=filename,
            providerMetadata=self._of_provider(metadata),
        )

    def write_file(self, url: str, media_type: str) -> None:
        self._write("file", url=url, mediaType=media_type)

    def write_data(self, name: str, value: Any, *, transient: bool) -> None:
        self._write(f"data-{name}", data=value, transient=transient or None)

    def write_step_end(self, step: Step) -> None:
        self._write("finish-step")

    def write_end(self) -> None:
        self._write("finish", finishReason=self.answer.reason, messageMetadata=self._final_metadata())

    def write_error(self, message: str, code: str | None) -> None:
        self._write("error", errorText=message)
        self._write("finish", finishReason="error", messageMetadata=self._final_metadata())

    def write_cancellation(self) -> None:
        self._write("abort", reason="stopped")

    def _final_metadata(self) -> dict[str, Any]:
        counts = self.answer.counts
        usage = {} if counts is None else {"usage": counts.to_dict()}
        steps = [step.to_dict() for step in self.answer.steps]
        return {**usage, **({"steps": steps} if steps else {})}
