"""The tool calls of one choice: which fragment belongs to which, and what has come of each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ssejet.chat.base import remember
from ssejet.chat.extra import copy_json, merge_extra
from ssejet.chat.models import Custom, FunctionCall, ParsedFunction, ParsedFunctionToolCall
from ssejet.chat.parsed import Parsed
from ssejet.chat.partial import PartialJSON
from ssejet.chat.text import Text
from ssejet.errors import StreamError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from ssejet.chat.models import ChoiceDeltaToolCall

    ArgumentParsers = Mapping[str, Callable[[str], Any] | None]

__all__ = ["ToolCall", "ToolCalls"]


class ToolCall:
    """One call under construction.

    The arguments grow, and so does a name that comes in pieces before them. The first id counts: some servers
    repeat it with each fragment, or send another.

    Attributes:
        arguments: the function's arguments, or a custom tool's input.
        ended: openai-python's event for the end was sent.
        deferred: that event is put off until the choice is finished.
        done: our event for the end was sent.
        named_again: the name came once more when the arguments were complete, and no id ever did.
    """

    __slots__ = (
        "_extra",
        "_parsed",
        "arguments",
        "deferred",
        "done",
        "ended",
        "id",
        "index",
        "name",
        "named_again",
        "type",
    )

    def __init__(self, index: int, choice_index: int) -> None:
        self.index: int = index
        self.id: str = ""
        self.name: str = ""
        self.type: str = ""
        self.arguments: Text = Text(choice_index)
        self.ended: bool = False
        self.deferred: bool = False
        self.done: bool = False
        self.named_again: bool = False
        self._parsed: Parsed | None = None
        self._extra: dict[str, Any] = {}

    @property
    def is_function(self) -> bool:
        """Whether it calls a function; a server that gives no type means one."""
        return self.type != "custom"

    def add(self, fragment: ChoiceDeltaToolCall) -> str:
        """Take a fragment in, and return what it adds to the arguments."""
        if not self.id and fragment.id:
            self.id = fragment.id
        if not self.type and fragment.type:
            self.type = fragment.type
        name, text = _name_and_text(fragment)
        if not self.name:
            self.name = name
        elif name and name != self.name and not self.arguments.length:
            # A name that grows begins with what came before; else this is its next piece.
            self.name = name if name.startswith(self.name) else self.name + name
        elif text and self._repeats(fragment.id, name, text):
            text = ""
        if text[:1] == "{" and self.arguments.length == 2 and str(self.arguments) == "{}":
            # Some servers send an empty object first, and then the arguments.
            self.arguments = Text(self.arguments.choice_index, is_json=self.arguments.is_json)
        self.arguments.add(text)
        if extra := _extra_of(fragment):
            merge_extra(self._extra, extra)
        return text

    def _repeats(self, call_id: str | None, name: str, text: str) -> bool:
        """Whether a fragment is the whole call again, as some servers end with."""
        return (
            bool(name and call_id)
            and call_id == self.id
            and len(text) == self.arguments.length
            and text == str(self.arguments)
        )

    def parsed(self, parsers: ArgumentParsers) -> Parsed:
        """The arguments so far, to be parsed as their tool says."""
        text = str(self.arguments)
        if self._parsed is None or self._parsed.text != text:
            self._parsed = Parsed(text, parsers.get(self.name))
        return self._parsed

    def to_function_call(self) -> FunctionCall:
        """The call as the ``function_call`` that ``tool_calls`` have replaced."""
        return FunctionCall(name=self.name, arguments=str(self.arguments))

    def to_model(self, parsed_arguments: Any) -> ParsedFunctionToolCall:
        """The call so far."""
        function = custom = None
        if self.is_function:
            function = ParsedFunction(
                name=self.name, arguments=str(self.arguments), parsed_arguments=parsed_arguments
            )
        else:
            custom = Custom(name=self.name, input=str(self.arguments))
        call = ParsedFunctionToolCall(
            id=self.id, type=self.type or "function", function=function, custom=custom, index=self.index
        )
        if self._extra:
            extra = copy_json(self._extra)
            inner = extra.pop(_FUNCTION, None)
            if inner and function is not None:
                remember(function, inner)
            if extra:
                remember(call, extra)
        return call


class ToolCalls:
    """The calls of one choice, by the order of their indexes."""

    __slots__ = ("_by_sent_index", "_calls", "_choice_index")

    def __init__(self, choice_index: int) -> None:
        self._choice_index = choice_index
        self._calls: dict[int, ToolCall] = {}
        self._by_sent_index: dict[int, ToolCall] = {}

    def __iter__(self) -> Iterator[ToolCall]:
        return iter([self._calls[index] for index in sorted(self._calls)])

    def find(self, fragment: ChoiceDeltaToolCall) -> ToolCall:
        """The call that a fragment belongs to, which may be a new one.

        Index and id say so, as long as both can be true. Servers number all calls alike, leave ids out,
        repeat them or send new ones with each fragment. Then this decides, for the call of the index:

        ============== ============================ ====================================================
        the fragment   the call's arguments         it goes to
        ============== ============================ ====================================================
        has no name    any                          that call
        has a name     none yet                     a new call, if its id is new, or if no id was ever sent,
                                                    the name is another and whole arguments come with it;
                                                    else that call, whose name it repeats or continues
        has a name     unfinished                   a new call, if id and name are new, or the name and no
                                                    id was ever sent, and if new arguments may begin; else
                                                    that call
        has a name     complete                     a new call, unless it adds nothing, or repeats the whole
        ============== ============================ ====================================================

        The id of another known call leads to that one. A new index without a name goes on with the call of
        the same id, or with the only one, if that is unfinished.

        Raises:
            StreamError: the fragment has no index and could belong to several calls.
        """
        sent = fragment.index
        if sent is None:
            return self._infer(fragment)
        call = self._by_sent_index.get(sent)
        name, text = _name_and_text(fragment)
        if call is None:
            call = self._misnumbered(fragment.id, name, text) or self._new(sent)
        elif call.named_again and not name and not fragment.id and text.lstrip().startswith("{"):
            # What named a complete call again, without arguments, was the beginning of another.
            name, call = call.name, self._new()
            call.name = name
        elif fragment.id or name:
            if fragment.id and call.id != fragment.id:
                call = self._with_id(fragment.id) or call
            if name and _begins_another(call, fragment.id, name, text):
                call = self._new()
            elif name and not call.id and not text and call.arguments.is_complete_json():
                call.named_again = True
        self._by_sent_index[sent] = call
        return call

    def _with_id(self, call_id: str | None) -> ToolCall | None:
        """The latest call of this id."""
        return next((call for call in reversed(list(self)) if call_id and call.id == call_id), None)

    def _misnumbered(self, call_id: str | None, name: str, text: str) -> ToolCall | None:
        """The call that a fragment with a new index goes on with, if it is not a new one."""
        if name or not text.strip():
            return None
        known = self._with_id(call_id)
        calls = list(self) if not call_id else [] if known is None else [known]
        unfinished = [call for call in calls if call.name and not call.arguments.is_complete_json()]
        return unfinished[0] if len(unfinished) == 1 else None

    def _new(self, index: int | None = None) -> ToolCall:
        if index is None or index in self._calls:
            index = max(self._calls, default=-1) + 1
        call = self._calls[index] = ToolCall(index, self._choice_index)
        return call

    def _infer(self, fragment: ChoiceDeltaToolCall) -> ToolCall:
        calls = list(self)
        name, text = _name_and_text(fragment)
        if not calls:
            return self._new()
        last = calls[-1]
        unfinished = [call for call in calls if not call.arguments.is_complete_json()]
        if fragment.id:
            known = self._with_id(fragment.id)
            if known is not None:
                begins = name and _begins_another(known, fragment.id, name, text)
                return self._new() if begins else known
            if name:
                return self._new()
            candidates = [call for call in calls if not call.id] or unfinished
        elif name:
            if not last.arguments.length and last.name and (last.id or name.startswith(last.name)):
                return last  # which it names once more, or further
            candidates = [call for call in unfinished if call.name in {"", name}]
            if not candidates:
                return self._new()
        elif len(calls) == 1 or not text.strip():
            return last
        else:
            candidates = unfinished
        if len(candidates) == 1:
            return candidates[0]
        known_calls = ", ".join(f"{call.index} ({call.name or 'no name'}, id {call.id!r})" for call in calls)
        raise StreamError(
            f"a tool-call fragment has no index, and its id {fragment.id!r} and name {name!r} do not tell "
            f"which of the calls {known_calls} it continues: "
            "the server must send an index or the id with each one"
        )


def _begins_another(call: ToolCall, call_id: str | None, name: str, text: str) -> bool:
    """Whether a fragment with a name begins a new call, although its index or id is that of this one."""
    is_new_id = bool(call_id and call.id) and call_id != call.id
    has_no_ids = not call_id and not call.id
    if not call.name:
        return is_new_id and call.arguments.is_complete_json()
    if call.arguments.is_complete_json():
        if call_id and not is_new_id:
            # After an empty object, the arguments may still come.
            return bool(text.strip()) and (name != call.name or str(call.arguments) not in {"{}", text})
        return is_new_id or bool(text.strip()) or name != call.name
    if not call.arguments.length:
        return is_new_id or (has_no_ids and name != call.name and _is_complete_json(text))
    may_begin = not text.strip() or text.lstrip().startswith("{")
    return name != call.name and (is_new_id or has_no_ids) and may_begin


def _is_complete_json(text: str) -> bool:
    json = PartialJSON()
    json.feed(text)
    return json.complete


# Where the fields stand that a server added to the function of a call, among those that it added to the call.
_FUNCTION = "function"


def _extra_of(fragment: ChoiceDeltaToolCall) -> dict[str, Any]:
    extra = fragment.extra
    if fragment.function is not None and (inner := fragment.function.extra):
        extra[_FUNCTION] = inner
    return extra


def _name_and_text(fragment: ChoiceDeltaToolCall) -> tuple[str, str]:
    if fragment.function is not None:
        return fragment.function.name or "", fragment.function.arguments or ""
    if fragment.custom is not None:
        return fragment.custom.name or "", fragment.custom.input or ""
    return "", ""
