"""The tool calls of one choice: which fragment belongs to which, and what has come of each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ssejet.chat.models import Custom, FunctionCall, ParsedFunction, ParsedFunctionToolCall
from ssejet.chat.parsed import Parsed
from ssejet.chat.text import Text
from ssejet.errors import StreamError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from ssejet.chat.models import ChoiceDeltaToolCall

    ArgumentParsers = Mapping[str, Callable[[str], Any] | None]

__all__ = ["ToolCall", "ToolCalls"]


class ToolCall:
    """One call under construction.

    Only the arguments grow: servers that repeat the id or the name with each fragment are as welcome as those
    that send them once.

    Attributes:
        arguments: the function's arguments, or a custom tool's input.
        ended: openai-python's event for the end was sent.
        deferred: that event is put off until the choice is finished.
        done: our event for the end was sent.
    """

    __slots__ = ("_parsed", "arguments", "deferred", "done", "ended", "id", "index", "name", "type")

    def __init__(self, index: int, choice_index: int) -> None:
        self.index = index
        self.id = ""
        self.name = ""
        self.type = ""
        self.arguments = Text(choice_index)
        self.ended = self.deferred = self.done = False
        self._parsed: Parsed | None = None

    @property
    def is_function(self) -> bool:
        """Whether it calls a function; a server that gives no type means one."""
        return self.type in {"", "function"}

    def add(self, fragment: ChoiceDeltaToolCall) -> str:
        """Take a fragment in, and return what it adds to the arguments."""
        if not self.id and fragment.id:
            self.id = fragment.id
        if not self.type and fragment.type:
            self.type = fragment.type
        name, text = _name_and_text(fragment)
        if not self.name and name:
            self.name = name
        self.arguments.add(text)
        return text

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
        return ParsedFunctionToolCall(
            id=self.id, type=self.type or "function", function=function, custom=custom, index=self.index
        )


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

        Raises:
            StreamError: the fragment has no index and could belong to several calls.
        """
        sent = fragment.index
        if sent is None:
            return self._infer(fragment)
        call = self._by_sent_index.get(sent)
        if call is None or _begins_another(call, fragment):
            call = self._by_sent_index[sent] = self._new(sent)
        return call

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
        if fragment.id:
            for call in calls:
                if call.id == fragment.id:
                    return call
            if name:
                return self._new()
            candidates = [call for call in calls if not call.id]
        elif name:
            candidates = [
                call for call in calls if call.name in {"", name} and not call.arguments.is_complete_json()
            ]
            if not candidates:
                return self._new()
        elif len(calls) == 1 or not text.strip():
            return calls[-1]
        else:
            candidates = [call for call in calls if not call.arguments.is_complete_json()]
        if len(candidates) == 1:
            return candidates[0]
        known = ", ".join(f"{call.index} ({call.name or 'no name'}, id {call.id!r})" for call in calls)
        raise StreamError(
            f"a tool-call fragment has no index, and its id {fragment.id!r} and name {name!r} do not tell "
            f"which of the calls {known} it continues: the server must send an index or the id with each one"
        )


def _begins_another(call: ToolCall, fragment: ChoiceDeltaToolCall) -> bool:
    """Whether a server that numbers all its calls alike begins a new one.

    A new id alone may be a server's habit; but nothing can be added to arguments that are complete.
    """
    if not fragment.id or not call.id or fragment.id == call.id:
        return False
    name, _ = _name_and_text(fragment)
    return bool(name) and call.arguments.is_complete_json()


def _name_and_text(fragment: ChoiceDeltaToolCall) -> tuple[str, str]:
    if fragment.function is not None:
        return fragment.function.name or "", fragment.function.arguments or ""
    if fragment.custom is not None:
        return fragment.custom.name or "", fragment.custom.input or ""
    return "", ""
