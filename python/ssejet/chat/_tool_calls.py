"""The tool calls of one choice: which call a fragment belongs to, and the events that it causes.

``ToolCalls`` makes the events of each chunk. ``CallFinder`` has the rules for which call a fragment belongs
to, ``_UnfinishedCalls`` finds the calls that wait for more, and ``ToolCall`` puts the fragments of one call
together.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import field

from ssejet._answers.parsed import Parsed, best_value
from ssejet._answers.source import remember
from ssejet._answers.text import PartialJSON, Prefix, Text
from ssejet.chat._events import (
    FunctionToolCallArgumentsDeltaEvent,
    FunctionToolCallArgumentsDoneEvent,
    ToolCallDeltaEvent,
    ToolCallDoneEvent,
)
from ssejet.chat._extra import gather
from ssejet.chat._models import Custom, FunctionCall, ParsedFunction, ParsedFunctionToolCall
from ssejet.errors import StreamError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from typing import TypeAlias

    from ssejet.chat._events import ChatCompletionStreamEvent
    from ssejet.chat._extra import Fields
    from ssejet.chat._models import ChoiceDeltaToolCall

    ArgumentParsers: TypeAlias = Mapping[str, Callable[[str], Any] | None]
    # The groups of calls, by their index.
    Calls: TypeAlias = dict[int, "ToolCall"]

__all__ = ["CallFinder", "ToolCall", "ToolCalls"]

# How much of its arguments a call has.
_EMPTY, _OPEN, _WHOLE = "none yet", "unfinished", "whole"

# How many calls an error lists.
_MOST_LISTED = 10


class ToolCall(msgspec.Struct, eq=False):
    """One call so far.

    The arguments grow, and so does a name that comes in pieces before them. The first id counts: some servers
    repeat it with each fragment, or send another.

    Attributes:
        arguments: the function's arguments, or a custom tool's input.
        name_so_far: the name, which ``str()`` joins.
        name_length: in characters.
        ended: openai-python's event for the end was sent.
        done: our event for the end was sent.
        unfit: the arguments are whole, but do not fit the tool's type.
        named_again: the name came once more when the arguments were whole, and no id ever did.
    """

    index: int
    arguments: Text
    id: str = ""
    type: str = ""
    name_so_far: str | Prefix = ""
    name_length: int = 0
    ended: bool = False
    done: bool = False
    unfit: bool = False
    named_again: bool = False
    _name: str | None = ""  # None if its pieces are not joined yet
    _name_text: Text | None = None  # the pieces of the name, if there are several
    _is_whole: bool = False  # the arguments are known to be whole
    _parsed: Parsed[Any] | None = None
    # What the server added to the call and to its function, if anything.
    _extra: Fields | None = None
    _function_extra: Fields | None = None

    @property
    def name(self) -> str:
        """The name so far."""
        if self._name is None:
            self._name = str(self.name_so_far)
        return self._name

    def has_name(self, name: str) -> bool:
        """Whether the name so far is this one."""
        return self.name_length == len(name) and self.name == name

    @property
    def is_function(self) -> bool:
        """Whether it calls a function. That is so if the server sends no type."""
        return self.type != "custom"

    @property
    def progress(self) -> str:
        """How much there is of the arguments. A custom tool's input is any text, so it is never whole."""
        if not self.arguments.length:
            return _EMPTY
        return _WHOLE if self.is_function and self.has_whole_arguments() else _OPEN

    def has_whole_arguments(self) -> bool:
        """Whether the arguments are one whole JSON value."""
        if not self._is_whole:
            self._is_whole = self.arguments.is_complete_json()
        return self._is_whole

    def add(self, fragment: ChoiceDeltaToolCall, name: str, text: str) -> str:
        """Add a fragment, and return what it adds to the arguments."""
        if not self.id and fragment.id:
            self.id = fragment.id
        if not self.type and fragment.type:
            self.type = fragment.type
        has_name = bool(self.name_length)
        if name and not (has_name and self.arguments.length):
            self.add_name(name)
        elif text and has_name and self._repeats(fragment.id, name, text):
            text = ""
        if text[:1] == "{" and self.is_empty_object():
            # Some servers send an empty object first, and then the arguments.
            self.arguments = Text(self.arguments.choice_index, self.arguments.is_json)
            self._is_whole = False
            self._parsed = None
        if text:
            self.arguments.parts.append(text)
            self.arguments.length += len(text)
        function = fragment.function
        # This sees without a call that most fragments have nothing added.
        if getattr(fragment, "_sent", None):
            self._extra = gather(self._extra, fragment)
        if function is not None and getattr(function, "_sent", None):
            self._function_extra = gather(self._function_extra, function)
        return text

    def add_name(self, name: str) -> None:
        """Set the name, or add to it: a name that grows begins with what came before; else it is a piece."""
        if not self.name_length:
            self.name_so_far = self._name = name
            self.name_length = len(name)
            return
        rest = self.rest_of_name(name)
        if rest != "":
            if self._name_text is None:
                self._name_text = Text(begin=self.name)
            self.name_length = self._name_text.add(name if rest is None else rest)
            self.name_so_far = Prefix(self._name_text, self.name_length)
            self._name = None

    def rest_of_name(self, name: str) -> str | None:
        """What a name adds to the name so far, if it begins with it; else None."""
        if len(name) < self.name_length or not name.startswith(self.name):
            return None
        return name[self.name_length :]

    def is_empty_object(self) -> bool:
        """Whether the arguments so far are an empty object."""
        return self.arguments.length == 2 and self.arguments.is_text("{}")

    def _repeats(self, call_id: str | None, name: str, text: str) -> bool:
        """Whether a fragment is the whole call again, which some servers send at the end."""
        if not (name and call_id) or call_id != self.id or self.arguments.length != len(text):
            return False
        return self.arguments.is_text(text)

    def parsed(self, parsers: ArgumentParsers) -> Parsed[Any]:
        """The arguments so far, with the parser of their tool."""
        text = self.arguments
        if self._parsed is None or self._parsed.length != text.length:
            self._parsed = Parsed(text, text.length, parsers.get(self.name) if parsers else None)
        return self._parsed

    def to_function_call(self) -> FunctionCall:
        """The call as a ``function_call``, the older form of ``tool_calls``."""
        call = FunctionCall(name=self.name, arguments=str(self.arguments))
        if self._function_extra is not None:
            remember(call, self._function_extra.plain())
        return call

    def to_model(self, parsed_arguments: Any) -> ParsedFunctionToolCall:
        """The call so far."""
        function = custom = None
        if self.is_function:
            function = ParsedFunction(
                name=self.name, arguments=str(self.arguments), parsed_arguments=parsed_arguments
            )
            if self._function_extra is not None:
                remember(function, self._function_extra.plain())
        else:
            custom = Custom(name=self.name, input=str(self.arguments))
        call = ParsedFunctionToolCall(
            id=self.id, type=self.type or "function", function=function, custom=custom, index=self.index
        )
        if self._extra is not None:
            remember(call, self._extra.plain())
        return call


class ToolCalls(msgspec.Struct, eq=False):
    """The calls of one choice so far.

    Attributes:
        current: the call that the latest fragment went to.
    """

    _parsers: ArgumentParsers
    _calls: CallFinder
    current: ToolCall | None = None
    _deferred: Calls = field(default_factory=dict)  # calls whose end event, as in openai-python, is deferred
    _undone: Calls = field(default_factory=dict)  # calls without our end event

    def add(
        self,
        fragments: Iterable[ChoiceDeltaToolCall],
        events: list[ChatCompletionStreamEvent[Any]],
        *,
        parses: bool,
        are_whole: bool,
    ) -> list[ToolCall]:
        """Add the fragments of a chunk, and append the events that they cause.

        Args:
            fragments: of any calls.
            events: gets the events.
            parses: whether partial parses of arguments are computed.
            are_whole: whether the fragments hold the whole calls so far.

        Returns:
            The call of each fragment.

        Raises:
            StreamError: a fragment has no index and could belong to several calls.
        """
        calls, deltas = [], []
        if are_whole:
            fragments = self._calls.without_repeats(fragments)
        for fragment in fragments:
            function, custom = fragment.function, fragment.custom
            name = text = None
            if function is not None:
                name, text = function.name, function.arguments
            elif custom is not None:
                name, text = custom.name, custom.input
            call, delta = self._calls.add(fragment, name or "", text or "")
            calls.append(call)
            deltas.append(delta)
            if not call.done:
                self._undone[call.index] = call
            arguments = call.arguments
            if (
                parses
                and self._parsers
                and arguments.length  # now the name is whole
                and not arguments.is_json
                and self._parsers.get(call.name) is not None
            ):
                call.arguments = arguments.fork(is_json=True)
        # openai-python's events tell of the whole chunk, also if it holds several fragments of one call.
        for call, delta in zip(calls, deltas, strict=True):
            arguments = call.arguments
            end = arguments.length
            if call.is_function:
                events.append(
                    FunctionToolCallArgumentsDeltaEvent(arguments, end, call.name_so_far, call.index, delta)
                )
            events.append(ToolCallDeltaEvent(arguments, end, delta, call.index, call.id, call.name_so_far))
        return calls

    def leave(self, call: ToolCall, events: list[ChatCompletionStreamEvent[Any]]) -> None:
        """End a call after which another one is current, if that is possible."""
        if self._may_be_ended(call):
            self._end(call, events)
        else:
            self._deferred[call.index] = call
        if not call.done and call.progress == _WHOLE:
            self._complete(call, events)

    def end(self, events: list[ChatCompletionStreamEvent[Any]], *, completes: bool = False) -> None:
        """Append openai-python's events for the deferred ends, and for that of the current call.

        Args:
            events: gets the events.
            completes: whether to do what ``complete`` does too.
        """
        ending = self._deferred
        if self.current is not None and not self.current.ended:
            ending[self.current.index] = self.current
        for index in sorted(ending):
            self._end(ending[index], events)
        ending.clear()
        if completes:
            self.complete(events)

    def complete(self, events: list[ChatCompletionStreamEvent[Any]]) -> None:
        """Append our events for the ends of all calls that have none."""
        for index in sorted(self._undone):
            self._complete(self._undone[index], events)

    def to_models(self, *, validate: bool) -> list[ParsedFunctionToolCall]:
        """The calls so far; see ``ChoiceState.to_model``."""
        models = []
        for call in self._calls:
            complete = call.parsed(self._parsers) if call.ended or validate else None
            value = complete.get() if validate and complete else best_value(complete, call.arguments)
            models.append(call.to_model(value))
        return models

    def _may_be_ended(self, call: ToolCall) -> bool:
        # openai-python ends a call when the next begins. If a server interleaves its calls, and their
        # arguments must be parsed, openai-python fails; we wait.
        if call.ended or not self._parsers or self._parsers.get(call.name) is None:
            return True
        if call.unfit or not call.has_whole_arguments():
            return False
        try:
            call.parsed(self._parsers).get()
        except Exception:  # reading the event raises it again
            call.unfit = True
            return False
        return True

    def _end(self, call: ToolCall, events: list[ChatCompletionStreamEvent[Any]]) -> None:
        if call.ended:
            return
        call.ended = True
        if call.is_function:
            text = call.arguments
            parsed = call.parsed(self._parsers)
            events.append(
                FunctionToolCallArgumentsDoneEvent(text, text.length, call.name, call.index, parsed)
            )

    def _complete(self, call: ToolCall, events: list[ChatCompletionStreamEvent[Any]]) -> None:
        call.done = True
        del self._undone[call.index]
        text = call.arguments
        parsed = call.parsed(self._parsers) if call.is_function else None
        events.append(ToolCallDoneEvent(text, text.length, call.id, call.index, call.name, parsed))


class _UnfinishedCalls(msgspec.Struct, eq=False):
    """Finds the unfinished calls: all, those with a name, and those of one name.

    A call that has left its group is dropped when the group is read, so finding a call costs the same however
    many there are. Nobody needs to know more than two, so at most two are given.
    """

    _all: Calls = field(default_factory=dict)
    _named: Calls = field(default_factory=dict)
    _by_name: dict[str, Calls] = field(default_factory=dict)
    _renamed: Calls = field(default_factory=dict)  # calls that _by_name has under an older name, or not yet

    def note(self, call: ToolCall) -> None:
        """Take in a call that has begun, or whose name or arguments began anew."""
        self._all[call.index] = self._renamed[call.index] = call
        if call.name_length:
            self._named[call.index] = call

    def first(self) -> list[ToolCall]:
        """The first two."""
        return _first_two(self._all, _is_unfinished)

    def first_named(self) -> list[ToolCall]:
        """The first two that have a name."""
        return _first_two(self._named, _is_unfinished)

    def first_of_name(self, name: str) -> list[ToolCall]:
        """The first two that have this name so far."""
        for call in self._renamed.values():
            self._by_name.setdefault(call.name, {})[call.index] = call
        self._renamed.clear()
        calls = self._by_name.get(name, {})
        return _first_two(calls, lambda call: _is_unfinished(call) and call.has_name(name))

    def may_have_other_named(self, call: ToolCall) -> bool:
        """Whether a call other than this one may be among those with a name."""
        return len(self._named) > (call.index in self._named)


def _first_two(calls: Calls, belongs: Callable[[ToolCall], bool]) -> list[ToolCall]:
    """The first two calls that belong to a group. Calls before them that do not are dropped."""
    found, gone = [], []
    for index, call in calls.items():
        if not belongs(call):
            gone.append(index)
            continue
        found.append(call)
        if len(found) == 2:
            break
    for index in gone:
        del calls[index]
    return found


def _is_unfinished(call: ToolCall) -> bool:
    return call.progress != _WHOLE


class CallFinder(msgspec.Struct, eq=False):
    """The calls of one choice, and the rules by which fragments are shared among them."""

    _choice_index: int
    _by_index: Calls = field(default_factory=dict)
    _by_sent_index: Calls = field(default_factory=dict)
    _by_id: dict[str, ToolCall] = field(default_factory=dict)
    _last: ToolCall | None = None  # the call with the highest index
    _unidentified: Calls = field(default_factory=dict)  # calls without an id
    _unfinished: _UnfinishedCalls = field(default_factory=_UnfinishedCalls)

    def __iter__(self) -> Iterator[ToolCall]:
        """The calls, by the order of their indexes."""
        return iter([self._by_index[index] for index in sorted(self._by_index)])

    def add(self, fragment: ChoiceDeltaToolCall, name: str, text: str) -> tuple[ToolCall, str]:
        """Add a fragment to its call.

        Args:
            fragment: what the server sent.
            name: the fragment's part of the name.
            text: its part of the arguments.

        Returns:
            The call, and what the fragment adds to its arguments.

        Raises:
            StreamError: the fragment has no index and could belong to several calls.
        """
        call = self._find(fragment, name, text)
        before = call.id, call.name_so_far, call.arguments
        delta = call.add(fragment, name, text)
        if call.id and not before[0]:
            self._by_id[call.id] = call
        if call.name_so_far is not before[1] or call.arguments is not before[2]:
            self._unfinished.note(call)
        return call, delta

    def without_repeats(self, fragments: Iterable[ChoiceDeltaToolCall]) -> list[ChoiceDeltaToolCall]:
        """What is new in fragments that hold the whole calls so far, in order."""
        calls = list(self)
        new = []
        for position, fragment in enumerate(fragments):
            call = self._by_id.get(fragment.id) if fragment.id else None
            if call is None and position < len(calls) and not (fragment.id and calls[position].id):
                call = calls[position]
            function = fragment.function
            if call is None or function is None or function.name not in {None, "", call.name}:
                new.append(fragment)
                continue
            rest = call.arguments.rest_of(function.arguments or "")
            if rest is None:
                new.append(fragment)
                continue
            self._by_sent_index.setdefault(call.index, call)
            lacking = msgspec.structs.replace(
                fragment,
                index=call.index,
                function=msgspec.structs.replace(function, name=None, arguments=rest),
            )
            new.append(lacking)
        return new

    def _find(self, fragment: ChoiceDeltaToolCall, name: str, text: str) -> ToolCall:
        """The call that a fragment belongs to, which may be a new one.

        The index or the id leads to a call; a known id counts more than an index. Some servers give all calls
        one index, or omit ids, repeat them, or send a new one with each fragment, so ``_follow`` decides if
        the fragment continues that call. A fragment with a new index and no name continues the call of its
        id, or the only unfinished call.
        """
        sent = fragment.index
        if sent is None:
            return self._infer(fragment.id, name, text)
        call = self._by_sent_index.get(sent)
        if call is None:
            call = self._misnumbered(fragment.id, name, text) or self._new(sent)
        else:
            if fragment.id and call.id != fragment.id:
                call = self._by_id.get(fragment.id, call)
            call = self._follow(call, fragment.id, name, text)
        self._by_sent_index[sent] = call
        return call

    def _follow(self, call: ToolCall, call_id: str | None, name: str, text: str) -> ToolCall:
        """The call that a fragment belongs to, if its index or its id leads to this call.

        With a name, the fragment begins a new call in these cases; in others, it continues this call:

        ============= ============= =========================== ============================================
        the arguments the id        and the fragment
        ============= ============= =========================== ============================================
        none yet      is another    any
        none yet      never came    has another name and whole arguments
        unfinished    is another    has another name and no text that continues the arguments
        unfinished    never came    as above
        whole         is another    any
        whole         is the same   has a text, and neither repeats the call nor follows an empty object
        whole         does not come has a text or another name
        ============= ============= =========================== ============================================

        Without a name, it continues this call. But without a name and an id, a text that follows whole
        arguments belongs to another call:

        ============= ============================================ =========================================
        the arguments the text                                     goes to
        ============= ============================================ =========================================
        whole         begins an object, and the name came again    a new call of that name
        {}            begins an object                             the next call, if that has none yet
        whole, not {} begins an object                             the only other call that is unfinished
        whole         does not                                     that call too, if it has begun
        ============= ============================================ =========================================

        The other call must have a name.
        """
        if name:
            if _begins_another(call, call_id, name, text):
                return self._new()
            call.named_again = not (call.id or call_id or text) and call.progress == _WHOLE
            return call
        has_others = self._unfinished.may_have_other_named(call)
        if call_id or not (has_others or call.named_again) or not text.strip() or call.progress != _WHOLE:
            return call
        begins = _begins_object(text)
        if call.named_again and begins:
            return self._again(call)
        waiting = self._unfinished.first_named()
        if len(waiting) != 1:
            return call
        [other] = waiting
        is_empty = other.progress == _EMPTY
        if begins and call.is_empty_object():
            return other if is_empty and other.index > call.index else call
        return other if begins or not (is_empty and other.is_function) else call

    def _again(self, call: ToolCall) -> ToolCall:
        """A new call, which began when the name of this whole call came again without arguments."""
        again = self._new()
        again.add_name(call.name)
        self._unfinished.note(again)
        call.named_again = False
        return again

    def _misnumbered(self, call_id: str | None, name: str, text: str) -> ToolCall | None:
        """The call that a fragment with a new index continues; None if it begins a new call."""
        if name or not text.strip():
            return None
        if call_id:
            known = self._by_id.get(call_id)
            return known if known is not None and known.name_length and known.progress != _WHOLE else None
        waiting = self._unfinished.first_named()
        return waiting[0] if len(waiting) == 1 else None

    def _infer(self, call_id: str | None, name: str, text: str) -> ToolCall:
        """The call of a fragment that has no index.

        Raises:
            StreamError: it could belong to several calls.
        """
        last = self._last
        if last is None:
            return self._new()
        if call_id:
            known = self._by_id.get(call_id)
            if known is not None:
                return self._follow(known, call_id, name, text)
            if name:
                return self._new()
            candidates = self._without_id() or self._unfinished.first()
        elif name:
            if (
                last.name_length
                and last.progress == _EMPTY
                and (last.id or last.rest_of_name(name) is not None)
            ):
                return last  # the name comes again, or more of it
            candidates = [call for each in ("", name) for call in self._unfinished.first_of_name(each)]
            if not candidates:
                return self._new()
        elif len(self._by_index) == 1 or not text.strip():
            return last
        else:
            candidates = self._unfinished.first()
        if len(candidates) == 1:
            return candidates[0]
        known_calls = ", ".join(
            f"{call.index} ({call.name or 'no name'}, id {call.id!r})"
            for call in islice(self._by_index.values(), _MOST_LISTED)
        )
        more = ", …" if len(self._by_index) > _MOST_LISTED else ""
        raise StreamError(
            f"a tool-call fragment has no index, and its id {call_id!r} and name {name!r} do not tell "
            f"which of the calls {known_calls}{more} it continues: "
            "the server must send an index or the id with each one"
        )

    def _new(self, index: int | None = None) -> ToolCall:
        if index is None or index in self._by_index:
            index = 0 if self._last is None else self._last.index + 1
        call = self._by_index[index] = ToolCall(index, Text(self._choice_index))
        if self._last is None or index > self._last.index:
            self._last = call
        self._unidentified[index] = call
        self._unfinished.note(call)
        return call

    def _without_id(self) -> list[ToolCall]:
        return _first_two(self._unidentified, lambda call: not call.id)


def _begins_another(call: ToolCall, call_id: str | None, name: str, text: str) -> bool:
    """Whether a fragment with a name begins a new call, by the table of ``CallFinder._follow``."""
    progress = call.progress
    is_another = bool(call_id and call.id) and call_id != call.id
    if not call.name_length:
        return is_another and progress == _WHOLE
    if progress == _WHOLE:
        if call_id and not is_another:
            is_repeated = call.has_name(name) and (call.is_empty_object() or call.arguments.is_text(text))
            return bool(text.strip()) and not is_repeated
        return is_another or bool(text.strip()) or not call.has_name(name)
    never_came = not (call_id or call.id)
    if progress == _EMPTY:
        return is_another or (never_came and not call.has_name(name) and _is_whole_json(text))
    if not (is_another or never_came) or call.has_name(name):
        return False
    return not text.strip() or _begins_object(text)


def _begins_object(text: str) -> bool:
    return text.lstrip()[:1] == "{"


def _is_whole_json(text: str) -> bool:
    json = PartialJSON()
    json.feed(text)
    return json.complete
