"""One block of a message: what its events hold so far, and the events that each causes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from ssejet._answers.conversion import INVALID_JSON
from ssejet._answers.source import added_to, copy_json, remember
from ssejet._answers.text import Text
from ssejet.chat._extra import Fields, gather
from ssejet.messages._events import (
    CitationEvent,
    CompactionEvent,
    InputJsonEvent,
    SignatureEvent,
    TextEvent,
    ThinkingEvent,
)
from ssejet.messages._models import (
    BLOCKS_WITH_INPUT,
    OTHER_DELTAS,
    CitationsDelta,
    CompactionBlock,
    CompactionDelta,
    InputJSONDelta,
    ParsedTextBlock,
    SignatureDelta,
    TextBlock,
    TextDelta,
    ThinkingBlock,
    ThinkingDelta,
    UnknownBlock,
    UnknownDelta,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from ssejet.messages._models import ContentBlock, ContentBlockDelta, ParsedContentBlock

__all__ = ["BlockState", "block_for"]


# The blocks that a delta fits. Where a server sends no beginning, the first of them is begun.
_FITTING: dict[type[Any], tuple[type[Any], ...]] = {
    TextDelta: (TextBlock,),
    CitationsDelta: (TextBlock,),
    ThinkingDelta: (ThinkingBlock,),
    SignatureDelta: (ThinkingBlock,),
    InputJSONDelta: BLOCKS_WITH_INPUT,
    CompactionDelta: (CompactionBlock,),
}


def block_for(delta: ContentBlockDelta) -> ContentBlock:
    """The beginning of the block that a delta belongs to, where the server sends none."""
    cls = _FITTING.get(type(delta), (UnknownBlock,))[0]
    return cls()  # type: ignore[no-any-return]


class BlockState(msgspec.Struct, eq=False):
    """One block so far.

    Attributes:
        position: its place in the message's content.
        begun: the block as it began.
        is_open: whether it has not ended.
        is_implied: whether the server sent no beginning of the block.
    """

    position: int
    begun: ContentBlock
    is_open: bool = True
    is_implied: bool = False
    # What the fragments add to: text, thinking or JSON.
    _text: Text | None = None
    _signature: str | None = None
    _citations: list[Any] | None = None
    _compaction: CompactionDelta | None = None
    # The fields that the server added to deltas, and what deltas of other blocks' types hold.
    _extra: Fields | None = None
    _parse: Callable[[str], Any] | None = None

    @classmethod
    def begin(cls, position: int, begun: ContentBlock, parse: Callable[[str], Any] | None) -> BlockState:
        """The state of a new block.

        Args:
            position: its place in the message's content.
            begun: the block as the server sends it first.
            parse: makes the value of a text block's text; None if it is not parsed.
        """
        block = cls(position, begun)
        if isinstance(begun, TextBlock):
            block._text = Text(is_json=True, begin=begun.text)
            block._parse = parse
            if begun.citations is not None:
                block._citations = [*begun.citations]
        elif isinstance(begun, ThinkingBlock):
            block._text = Text(begin=begun.thinking)
        elif isinstance(begun, BLOCKS_WITH_INPUT):
            block._text = Text(is_json=True)
        return block

    def takes(self, delta: ContentBlockDelta) -> bool:
        """Whether a delta fits this type of block. Unknown deltas fit every type."""
        fitting = _FITTING.get(type(delta))
        return fitting is None or isinstance(self.begun, fitting)

    def add(self, delta: ContentBlockDelta, events: list[Any]) -> None:
        """Add a delta, and append the event that it causes."""
        # This runs for each event, so the frequent kinds come first.
        kind = type(delta)
        text = self._text
        begun = self.begun
        if kind is TextDelta and isinstance(begun, TextBlock):
            assert text is not None
            piece = delta.text  # type: ignore[union-attr]
            text.parts.append(piece)
            text.length = end = text.length + len(piece)
            events.append(TextEvent(text, end, piece))
        elif kind is InputJSONDelta and isinstance(begun, BLOCKS_WITH_INPUT):
            assert text is not None
            piece = delta.partial_json  # type: ignore[union-attr]
            text.parts.append(piece)
            text.length = end = text.length + len(piece)
            events.append(InputJsonEvent(self, end, piece))
        elif kind is ThinkingDelta and isinstance(begun, ThinkingBlock):
            assert text is not None
            piece = delta.thinking  # type: ignore[union-attr]
            text.parts.append(piece)
            text.length = end = text.length + len(piece)
            events.append(ThinkingEvent(text, end, piece))
        else:
            self._add_rest(delta, events)
        if getattr(delta, "_sent", None):
            gather(self._fields(), delta)

    def _add_rest(self, delta: ContentBlockDelta, events: list[Any]) -> None:
        begun = self.begun
        if isinstance(delta, SignatureDelta) and isinstance(begun, ThinkingBlock):
            self._signature = delta.signature
            events.append(SignatureEvent(delta.signature))
        elif isinstance(delta, CitationsDelta) and isinstance(begun, TextBlock):
            if delta.citation is not None:
                if self._citations is None:
                    self._citations = []
                self._citations.append(delta.citation)
                events.append(CitationEvent(delta.citation, self._citations, len(self._citations)))
        elif isinstance(delta, CompactionDelta) and isinstance(begun, CompactionBlock):
            self._compaction = delta
            events.append(CompactionEvent(delta.content, delta.encrypted_content))
        elif not isinstance(delta, UnknownDelta):
            # A delta of another type of block: kept under its own name, beside the block's fields.
            fields = {name: value for name, value in delta.to_dict().items() if name != "type"}
            self._fields().merge({OTHER_DELTAS: fields})

    def _fields(self) -> Fields:
        """The fields that the server added to the block, to which those of deltas are added."""
        if self._extra is None:
            self._extra = Fields()
            self._extra.merge(added_to(self.begun) or {})
        return self._extra

    def input_at(self, end: int, fragment: str = "") -> Any:
        """The input that the first ``end`` characters of the JSON text give."""
        begun: Any = self.begun
        value = None if end == 0 or self._text is None else self._text.value(end, fragment)
        if value is not None:
            return value
        if self.has_broken_input:
            return {INVALID_JSON: self._text.prefix(end)}  # type: ignore[union-attr]
        return {} if begun.input is None else begun.input

    @property
    def has_broken_input(self) -> bool:
        """Whether the block has an input whose text so far cannot become JSON."""
        text = self._text
        if text is None or not isinstance(self.begun, BLOCKS_WITH_INPUT) or not text.length:
            return False
        text.is_complete_json()  # parses what is new
        return text.is_broken_json

    def to_model(self, *, validate: bool = False) -> ParsedContentBlock[Any]:
        """The block so far.

        Args:
            validate: whether text that is parsed must be valid.

        Raises:
            Exception: the error of the output format's library.
        """
        begun: Any = self.begun
        text = self._text
        changes: dict[str, Any] = {}
        model: Any
        if isinstance(begun, TextBlock):
            whole = str(text)
            citations = None if self._citations is None else self._citations[:]
            model = ParsedTextBlock(whole, citations, self._value(whole, validate=validate))
        elif isinstance(begun, ThinkingBlock):
            signature = begun.signature if self._signature is None else self._signature
            model = ThinkingBlock(str(text), signature)
        elif text is not None:
            changes["input"] = copy_json(self.input_at(text.length))
            model = msgspec.structs.replace(begun, **changes)
        elif self._compaction is not None:
            delta = self._compaction
            model = msgspec.structs.replace(
                begun, content=delta.content, encrypted_content=delta.encrypted_content
            )
        else:
            model = msgspec.structs.replace(begun)
        added = copy_json(added_to(begun)) if self._extra is None else self._extra.plain()
        if added:
            remember(model, added)
        return model  # type: ignore[no-any-return]

    def _value(self, text: str, *, validate: bool) -> Any:
        if self._parse is None:
            return None
        if validate:
            return self._parse(text)
        if self.is_open:
            return None
        try:
            return self._parse(text)
        except Exception:  # whatever the output format's library raises
            return None
