"""Sends an answer as events of AG-UI, the protocol between agents and user interfaces.

::

    @app.post("/agent")
    async def agent(run: RunAgentInput) -> EventStreamResponse:
        events = await client.chat.completions.create(..., stream=True)
        return EventStreamResponse(ag_ui.astream(events, thread_id=run.thread_id, run_id=run.run_id))
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from ssejet._json import dumps, loads
from ssejet.emit._front_ends.answer import ToolOutput
from ssejet.emit._front_ends.codec import AsyncFrontEndStream, FrontEndCodec, FrontEndStream
from ssejet.emit._front_ends.kept import event_response, source_of
from ssejet.emit._front_ends.protocol import Protocol

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, Callable, Iterable, Mapping, Sequence

    from ssejet.emit import AsyncEventStream, EventStream
    from ssejet.emit._emit_machine import OnError
    from ssejet.emit._front_ends.answer import Part, Step, Tool
    from ssejet.emit._front_ends.kept import KeepingHub
    from ssejet.emit.starlette import EventStreamResponse

__all__ = ["ToolOutput", "answer", "astream", "stream"]

_VERSION = "1.0"

# Events that begin something: the event that ends it, and the field with its name.
_ENDS = {
    "TEXT_MESSAGE_START": ("TEXT_MESSAGE_END", "messageId"),
    "REASONING_START": ("REASONING_END", "messageId"),
    "REASONING_MESSAGE_START": ("REASONING_MESSAGE_END", "messageId"),
    "TOOL_CALL_START": ("TOOL_CALL_END", "toolCallId"),
    "STEP_STARTED": ("STEP_FINISHED", "stepName"),
}
_END_FIELDS = dict(_ENDS.values())

# Events that add a message, and the field with the message's id.
_OPENING = {
    "TEXT_MESSAGE_START": "messageId",
    "REASONING_MESSAGE_START": "messageId",
    "TOOL_CALL_START": "parentMessageId",
    "TOOL_CALL_RESULT": "messageId",
}

# Metadata of reasoning that only its provider can read.
_ENCRYPTED = ("reasoningEncryptedContent", "signature", "redactedData")

# The beginnings of events that only add text, as most events of a log do.
_DELTAS = tuple(
    f'{{"type":"{kind}"' for kind in ("TEXT_MESSAGE_CONTENT", "REASONING_MESSAGE_CONTENT", "TOOL_CALL_ARGS")
)


def stream(
    events: Iterable[Any],
    *,
    thread_id: str,
    run_id: str,
    messages: Sequence[Mapping[str, Any]] = (),
    heartbeat: float | None = 15.0,
    on_error: OnError = "event",
) -> EventStream[Any]:
    """Convert the events of models to events of AG-UI.

    See ``ssejet.emit.ai_sdk.stream`` for the events. A dict is sent unchanged, for events of your own such as
    ``STATE_SNAPSHOT``. Sources, files and all else that the protocol has no event for become ``CUSTOM``
    events. Each model call is a step. ``RUN_FINISHED`` has the tokens, and the tool calls that wait for the
    application; its metadata has ``finishReason`` and ``steps``, as in the AI SDK's stream.

    Args:
        events: the events.
        thread_id: the ``threadId`` of the request.
        run_id: the ``runId`` of the request.
        messages: for events of a log, the ``messages`` of the request. If a part of this run is among them,
            the client removes it first, because the log has it from its beginning.
        heartbeat: see ``EventStream``.
        on_error: see ``EventStream``. The client gets the message and the code of an error that the model's
            server reports, and no details of others.
    """
    make_codec = partial(_codec, thread_id, run_id, messages)
    return FrontEndStream(events, make_codec, heartbeat=heartbeat, on_error=on_error)


def astream(
    events: AsyncIterable[Any] | Iterable[Any],
    *,
    thread_id: str,
    run_id: str,
    messages: Sequence[Mapping[str, Any]] = (),
    heartbeat: float | None = 15.0,
    on_error: OnError = "event",
) -> AsyncEventStream[Any]:
    """Do what ``stream`` does, for events that may be async."""
    make_codec = partial(_codec, thread_id, run_id, messages)
    return AsyncFrontEndStream(events, make_codec, heartbeat=heartbeat, on_error=on_error)


async def answer(
    hub: KeepingHub,
    key: str,
    run: Mapping[str, Any],
    events: Callable[[], Any],
    *,
    on_error: OnError = "event",
) -> EventStreamResponse:
    """Start a run in a hub, or resume it, and send its events.

    The run goes on when its client leaves. A client that sends the same request again, with the same
    ``runId``, gets the run from its beginning, which replaces the part that it has. ::

        @app.post("/agent")
        async def agent(request: Request) -> EventStreamResponse:
            run = await request.json()
            return await ag_ui.answer(hub, f"{user.id}:{run['runId']}", run, lambda: model(run["messages"]))

    Args:
        hub: keeps the run.
        key: the key of its log: one for each run of each user, because anybody with the key can read it.
        run: the body of the request.
        events: returns the events, or an awaitable of them; see ``stream``.
        on_error: see ``stream``.

    Returns:
        A response of Starlette and FastAPI.
    """
    names: dict[str, Any] = {"thread_id": run["threadId"], "run_id": run["runId"]}
    await hub.start(key, source_of(events, lambda found: astream(found, **names, on_error=on_error)))
    return event_response(astream(hub.follow(key), **names, messages=run.get("messages") or ()), {})


def _codec(thread_id: str, run_id: str, messages: Sequence[Mapping[str, Any]]) -> FrontEndCodec:
    return FrontEndCodec(_AGUIProtocol(thread_id, run_id, messages), None)


class _AGUIProtocol(Protocol):
    def __init__(self, thread_id: str, run_id: str, messages: Sequence[Mapping[str, Any]]) -> None:
        super().__init__()
        # The messages that the client has; empty once it has removed those of this run.
        self._known = list(messages)
        self._run = {"threadId": thread_id, "runId": run_id}
        # The assistant's message that the tool calls of this step belong to.
        self._parent: str | None = None
        # The metadata with which each text began.
        self._metadata: dict[str, dict[str, Any]] = {}
        # The events that end what a replayed answer has begun and not ended.
        self._left_open: dict[tuple[str, Any], dict[str, Any]] = {}

    def _write(self, type: str, **fields: Any) -> None:
        given = {name: value for name, value in fields.items() if value is not None}
        self.chunks.append({"type": type, **given})

    def _step_name(self) -> str:
        return f"model-call-{len(self.answer.steps)}"

    def write_start(self, id: str) -> None:
        self._write("RUN_STARTED", **self._run, protocolVersion=_VERSION)

    def write_step(self, step: Step) -> None:
        self._parent = None
        self._write("STEP_STARTED", stepName=self._step_name())

    def write_part(self, part: Part) -> None:
        if part.kind == "text":
            self._parent = part.id
            metadata = dict(part.metadata) or None
            self._metadata[part.id] = metadata or {}
            self._write("TEXT_MESSAGE_START", messageId=part.id, role="assistant", metadata=metadata)
        else:
            self._write("REASONING_START", messageId=part.id)
            self._write("REASONING_MESSAGE_START", messageId=part.id, role="reasoning")

    def write_delta(self, part: Part, delta: str) -> None:
        type = "TEXT_MESSAGE_CONTENT" if part.kind == "text" else "REASONING_MESSAGE_CONTENT"
        self.chunks.append({"type": type, "messageId": part.id, "delta": delta})

    def write_part_end(self, part: Part) -> None:
        began_with = self._metadata.pop(part.id, {})
        added = {name: value for name, value in part.metadata.items() if began_with.get(name) != value}
        if part.kind == "text":
            self._write("TEXT_MESSAGE_END", messageId=part.id, metadata=added or None)
            return
        added = {name: value for name, value in added.items() if name not in _ENCRYPTED}
        self._write("REASONING_MESSAGE_END", messageId=part.id, metadata=added or None)
        for name in _ENCRYPTED:
            value = part.metadata.get(name)
            if value:
                self._write(
                    "REASONING_ENCRYPTED_VALUE",
                    subtype="message",
                    entityId=part.id,
                    encryptedValue=value,
                    metadata={"kind": name, **part.metadata},
                )
        self._write("REASONING_END", messageId=part.id)

    def write_tool(self, tool: Tool) -> None:
        if self._parent is None:
            self._parent = self.answer.new_id()
        metadata = {"providerExecuted": True} if tool.by_provider else None
        self._write(
            "TOOL_CALL_START",
            toolCallId=tool.id,
            toolCallName=tool.name,
            parentMessageId=self._parent,
            metadata=metadata,
        )

    def write_tool_delta(self, tool: Tool, delta: str) -> None:
        self.chunks.append({"type": "TOOL_CALL_ARGS", "toolCallId": tool.id, "delta": delta})

    def write_tool_input(self, tool: Tool) -> None:
        # The deltas were sent already. Some calls have none.
        if not tool.pieces:
            self._write("TOOL_CALL_ARGS", toolCallId=tool.id, delta=dumps(tool.input).decode())
        self._write("TOOL_CALL_END", toolCallId=tool.id)

    def write_tool_output(self, tool: Tool, output: Any, *, is_error: bool) -> None:
        self._write(
            "TOOL_CALL_RESULT",
            messageId=self.answer.new_id(),
            toolCallId=tool.id,
            content=output if isinstance(output, str) else dumps(output).decode(),
            role="tool",
            metadata={"isError": True} if is_error else None,
        )

    def write_source(self, url: str, title: str | None, metadata: dict[str, Any]) -> None:
        self._custom("source", {"url": url, "title": title, **metadata})

    def write_document(self, title: str, filename: str | None, metadata: dict[str, Any]) -> None:
        self._custom("document", {"title": title, "filename": filename, **metadata})

    def write_file(self, url: str, media_type: str) -> None:
        self._custom("file", {"url": url, "mediaType": media_type})

    def write_data(self, name: str, value: Any, *, transient: bool) -> None:
        self._custom(name, value)

    def _custom(self, name: str, value: Any) -> None:
        if isinstance(value, dict):
            value = {name: each for name, each in value.items() if each is not None}
        self._write("CUSTOM", name=name, value=value)

    def write_step_end(self, step: Step) -> None:
        self._write("STEP_FINISHED", stepName=self._step_name())

    def write_end(self) -> None:
        waiting = [
            tool.id for tool in self.answer.tools.values() if not (tool.is_answered or tool.by_provider)
        ]
        outcome = {"type": "success", **({"pendingToolCallIds": waiting} if waiting else {})}
        steps = [step.to_dict() for step in self.answer.steps]
        metadata = {"finishReason": self.answer.reason, **({"steps": steps} if steps else {})}
        self._write("RUN_FINISHED", **self._run, outcome=outcome, usage=self._usage(), metadata=metadata)

    def watch(self, event: str) -> None:
        if event.startswith(_DELTAS):
            return
        data = loads(event)
        kind = data.get("type") if isinstance(data, dict) else None
        if self._known and kind in _OPENING:
            self._forget(data.get(_OPENING[kind]))
        if kind in _ENDS:
            end, name = _ENDS[kind]
            self._left_open[end, data.get(name)] = {"type": end, name: data.get(name)}
        elif kind in _END_FIELDS:
            self._left_open.pop((kind, data.get(_END_FIELDS[kind])), None)

    def _forget(self, id: Any) -> None:
        """Make the client remove the message with this id, and those after it: they are sent again."""
        places = [place for place, message in enumerate(self._known) if message.get("id") == id]
        if places:
            kept, sent_again = self._known[: places[0]], self._known[places[0] :]
            # Clients keep reasoning that a snapshot leaves out, so the snapshot has it without text.
            emptied = [
                {"id": message["id"], "role": "reasoning", "content": ""}
                for message in sent_again
                if message.get("role") == "reasoning"
            ]
            self._write("MESSAGES_SNAPSHOT", messages=[*kept, *emptied])
            self._known = []

    def write_cancellation(self) -> None:
        self.chunks += reversed(self._left_open.values())
        self._write("RUN_FINISHED", **self._run, outcome={"type": "cancelled"})

    def write_error(self, message: str, code: str | None) -> None:
        self._write("RUN_ERROR", message=message, code=code, usage=self._usage())

    def _usage(self) -> list[dict[str, Any]] | None:
        sent = [
            {"provider": step.provider, **({"model": step.model} if step.model else {}), **counts.to_dict()}
            for step in self.answer.steps
            if (counts := step.counts) is not None
        ]
        return sent or None
