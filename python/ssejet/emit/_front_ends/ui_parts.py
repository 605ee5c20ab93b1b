"""Sends a message of the AI SDK again, as the chunks that make it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ssejet.emit._front_ends.codec import EarlierChunk

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["chunks_of_message"]


def chunks_of_message(message: Mapping[str, Any]) -> Iterator[EarlierChunk]:
    """Yield the chunks that make the parts and the metadata of a message."""
    if message.get("metadata"):
        yield EarlierChunk(type="message-metadata", messageMetadata=message["metadata"])
    for number, part in enumerate(message.get("parts", ())):
        kind = part.get("type") if isinstance(part, dict) else None
        if not isinstance(kind, str):
            continue
        if kind == "step-start":
            yield EarlierChunk(type="start-step")
        elif kind in {"text", "reasoning"}:
            yield from _text(kind, f"earlier-{number}", part)
        elif kind == "dynamic-tool" or kind.startswith("tool-"):
            yield from _tool(kind, part)
        elif kind in {"source-url", "source-document", "file"} or kind.startswith("data-"):
            yield EarlierChunk(part)


def _text(kind: str, id: str, part: dict[str, Any]) -> Iterator[EarlierChunk]:
    metadata = _present(providerMetadata=part.get("providerMetadata"))
    yield EarlierChunk(type=f"{kind}-start", id=id, **metadata)
    yield EarlierChunk(type=f"{kind}-delta", id=id, delta=part.get("text", ""))
    yield EarlierChunk(type=f"{kind}-end", id=id, **metadata)


def _tool(kind: str, part: dict[str, Any]) -> Iterator[EarlierChunk]:
    of_call = {
        "toolCallId": part.get("toolCallId"),
        **_present(providerExecuted=part.get("providerExecuted"), dynamic=kind == "dynamic-tool" or None),
    }
    yield EarlierChunk(
        type="tool-input-available",
        toolName=part.get("toolName") or kind.removeprefix("tool-"),
        input=part.get("input"),
        **of_call,
        **_present(providerMetadata=part.get("callProviderMetadata")),
    )
    if part.get("state") == "output-available":
        yield EarlierChunk(type="tool-output-available", output=part.get("output"), **of_call)
    elif part.get("state") == "output-error":
        yield EarlierChunk(type="tool-output-error", errorText=part.get("errorText", ""), **of_call)


def _present(**fields: Any) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}
