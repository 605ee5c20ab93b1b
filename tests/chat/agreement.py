"""The same chunks to openai-python's ChatCompletionStreamState and to ours, and what comes out of each."""

from __future__ import annotations

from json import JSONDecoder
from typing import Any

from hypothesis import reject
from openai._models import construct_type
from openai.lib.streaming.chat import ChatCompletionStreamState as TheirState
from openai.types.chat import ChatCompletionChunk as TheirChunk

from ssejet.chat import ChatCompletionChunk, ChatCompletionStreamState, ParsedChatCompletion
from ssejet.errors import ContentFilterFinishReasonError, LengthFinishReasonError

OUR_OWN_TYPES = {"reasoning.delta", "reasoning.done", "tool_calls.delta", "tool_calls.done"}


class Raised:
    """An error, in the place of what would have come."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    def __repr__(self) -> str:
        return f"Raised({self.error!r})"

    @property
    def is_deliberate(self) -> bool:
        return type(self.error).__name__ in {
            LengthFinishReasonError.__name__,
            ContentFilterFinishReasonError.__name__,
        }

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Raised) and type(self.error).__name__ == type(other.error).__name__

    __hash__ = None  # type: ignore[assignment]


def plain(value: Any) -> Any:
    """As JSON types, without what is null."""
    for dump in ("to_dict", "model_dump"):
        if hasattr(value, dump):
            return plain(getattr(value, dump)())
    if isinstance(value, dict):
        return {name: plain(each) for name, each in value.items() if each is not None}
    if isinstance(value, list):
        return [plain(each) for each in value]
    return value


def their_chunk(chunk: dict[str, Any]) -> TheirChunk:
    """The chunk as openai-python's streams make it."""
    built = construct_type(type_=TheirChunk, value=chunk)
    assert isinstance(built, TheirChunk)
    return built


def theirs(chunks: list[dict[str, Any]], **options: Any) -> list[list[Any] | Raised]:
    """Their events, chunk by chunk, and at the end the final completion; up to the first error."""
    state = TheirState(**options)
    results: list[list[Any] | Raised] = []
    for chunk in chunks:
        try:
            # Snapshots change with later chunks, so they are taken down now.
            results.append([plain(event) for event in state.handle_chunk(their_chunk(chunk))])
        except Exception as error:  # noqa: PERF203
            return [*results, Raised(error)]
    try:
        results.append([plain(state.get_final_completion())])
    except Exception as error:
        results.append(Raised(error))
    return results


def ours(chunks: list[dict[str, Any]], *, adopt: bool = False, **options: Any) -> list[list[Any] | Raised]:
    """The events of our state for each chunk; ``adopt`` gives it openai-python's chunks."""
    state = ChatCompletionStreamState(**options)
    results: list[list[Any] | Raised] = []
    for chunk in chunks:
        try:
            given = their_chunk(chunk) if adopt else ChatCompletionChunk.from_dict(chunk)
            events = state.handle_chunk(given)
            results.append([plain(event) for event in events if event.type not in OUR_OWN_TYPES])
        except Exception as error:  # noqa: PERF203
            return [*results, Raised(error)]
    try:
        results.append([plain(state.get_final_completion())])
    except Exception as error:
        results.append(Raised(error))
    return results


def comparable(value: Any, first: dict[str, Any]) -> Any:
    """A result without what only we keep of chunks after the first: usage, tier and added fields."""
    if isinstance(value, list):
        return [comparable(each, first) for each in value]
    if isinstance(value, dict) and "snapshot" in value:
        return {**value, "snapshot": comparable(value["snapshot"], first)}
    if isinstance(value, dict) and value.get("object") == "chat.completion":
        kept = {*ParsedChatCompletion.__struct_fields__, *first} - {"usage"}
        if first.get("service_tier") is None:
            kept.discard("service_tier")
        return {name: each for name, each in value.items() if name in kept}
    return value


def has_more_than_json(value: Any) -> bool:
    """Whether there are arguments of a call that go on after their JSON has ended."""
    if isinstance(value, list):
        return any(map(has_more_than_json, value))
    if not isinstance(value, dict):
        return False
    arguments = value.get("arguments")
    if isinstance(arguments, str):
        try:
            _, end = JSONDecoder().raw_decode(arguments.lstrip())
        except ValueError:
            return False
        return bool(arguments.lstrip()[end:].strip())
    return any(has_more_than_json(each) for name, each in value.items() if name != "chunk")


def assert_agreement(chunks: list[dict[str, Any]], **options: Any) -> None:
    """The same events, in the same order, with the same fields, as far as openai-python gets."""
    expected = theirs(chunks, **options)
    if isinstance(expected[-1], Raised) and not expected[-1].is_deliberate:
        expected.pop()
    # What follows whole arguments is of another call in ours, if one is open, or replaces an empty object.
    if "{}{" in repr(expected) or ("'index': 1" in repr(expected) and has_more_than_json(expected)):
        reject()
    for adopt in (False, True):
        results = ours(chunks, adopt=adopt, **options)[: len(expected)]
        assert comparable(results, chunks[0]) == comparable(expected, chunks[0])
        if chunks[-1].get("usage") and len(expected) > len(chunks) and not isinstance(expected[-1], Raised):
            [completion], [their_completion] = results[-1], expected[-1]
            assert completion.get("usage") == their_completion.get("usage")
