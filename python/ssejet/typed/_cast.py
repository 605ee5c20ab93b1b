"""From ``cast_to`` to a function: chosen once per stream, so that an item costs one call."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, get_args, get_origin

from ssejet._core import ServerSentEvent, _check_nesting, _stack_left
from ssejet._lazy import loaded
from ssejet._per_class import per_class

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["AnswerCast", "Cast", "explain", "is_decoding_error", "is_from_json", "make_cast"]

# With this many bytes of stack, every decoder reaches its own limit of nesting first. For models that hold
# themselves, pydantic can take more.
_ENOUGH_STACK = 512 * 1024

# How many of the problems of an item an error lists.
_COMPLAINTS = 5


class AnswerCast:
    """What is done to an item that is an answer of ``ssejet.chat``, after msgspec has decoded it.

    msgspec sees the known fields only. An answer remembers its text, for what else the server sent. JSON of a
    shape that was seen before needs no second look.

    Args:
        model: the class of the answers, a ``ssejet._answers.base.Response``.

    Attributes:
        metrics: the class of the metrics that know the end; None for ``StreamMetrics``.
        slot: the name under which an answer keeps its text.
        set_slot: puts it there, given the answer, the name and the text.
        knows_shape: whether a text is of a shape that holds nothing but known fields in known places.
        end: what the last event of a whole stream is called; None if the protocol has no such event.
        collect: makes a function that takes the answers of a stream, and one that gives what they make up, or
            None for none; None if they make up nothing.
        complete: completes any other answer, given the answer, the text and a function that reads the text.
            The answer is None if msgspec could not decode it.
        build: makes the answer of an event without msgspec if its text is of such a shape, or returns the
            event. None if only msgspec can make these answers.
    """

    __slots__ = ("build", "collect", "complete", "end", "knows_shape", "metrics", "set_slot", "slot")

    def __init__(self, model: Any) -> None:
        from msgspec.structs import force_setattr

        self.metrics: type[Any] | None = getattr(model, "default_metrics", None)
        self.slot: str = model.text_slot
        self.end: str | None = getattr(model, "end", None)
        self.collect: Callable[[], tuple[Callable[[Any], object], Callable[[], Any]]] | None
        self.collect = getattr(model, "collect", None)
        self.set_slot: Callable[[Any, str, str], None] = force_setattr
        self.knows_shape: Callable[[str], bool] = model.shapes().knows
        self.complete: Callable[[Any, str, Callable[[], Any]], Any] = model.complete
        builder = model.builder()
        self.build: Callable[[ServerSentEvent], Any] | None = None if builder is None else builder.build


class Cast:
    """How one stream makes its items.

    Attributes:
        decode: makes an item of an event's data or, with ``takes_event``, of the event itself.
        convert: makes an item of decoded JSON; None if ``decode`` is the caller's own function.
        takes_event: whether ``decode`` wants the event.
        answer: what is done after ``decode`` if items are answers of ``ssejet.chat``; None for all others.
    """

    __slots__ = ("answer", "convert", "decode", "takes_event")

    def __init__(
        self,
        decode: Callable[[Any], Any],
        convert: Callable[[Any], Any] | None,
        *,
        takes_event: bool = False,
        answer: AnswerCast | None = None,
    ) -> None:
        self.decode: Callable[[Any], Any] = decode
        self.convert: Callable[[Any], Any] | None = convert
        self.takes_event: bool = takes_event
        self.answer: AnswerCast | None = answer

    def decoder(self) -> Callable[[Any], Any]:
        """Give ``decode``, with a check of the nesting first if the stack of this thread is small."""
        if self.takes_event or _stack_left() >= _ENOUGH_STACK:
            return self.decode
        return self._decode_shallow

    def _decode_shallow(self, data: str) -> Any:
        _check_nesting(data)
        return self.decode(data)


def make_cast(cast_to: Any) -> Cast:
    """Choose how items are made.

    Args:
        cast_to: None for decoded JSON; a pydantic model, or a union or generic that holds one; a type that
            msgspec decodes (Struct, dataclass, TypedDict, NamedTuple, attrs class, Enum, builtins, and unions
            and generics of these); any other callable, which gets the event.

    Raises:
        TypeError: ``cast_to`` is none of these, is a union that msgspec cannot tell apart, or an alias that
            holds itself without a pydantic model.
    """
    if cast_to is None:
        return Cast(ServerSentEvent.json, _same, takes_event=True)
    # In a union of events of one protocol, any of them stands for all.
    first = (get_args(cast_to) or (cast_to,))[0]
    cast_to = getattr(get_origin(first) or first, "event_class", cast_to)
    if _holds_pydantic(cast_to):
        return _pydantic_cast(cast_to)
    if _is_msgspec_type(cast_to):
        return _msgspec_cast(cast_to)
    if callable(cast_to):
        return Cast(cast_to, None, takes_event=True)
    raise TypeError(
        "cast_to must be None, a type that msgspec or pydantic can decode, or a callable that takes a "
        f"ServerSentEvent; got {cast_to!r} of type {type(cast_to).__name__}"
    )


def is_decoding_error(error: Exception) -> bool:
    """Whether an error says that data is not JSON, is nested too deep, or is not of the type asked for.

    ``ValueError`` stands for JSON errors of every library, for integers of more digits than Python takes, for
    text that is not Unicode, and for pydantic's errors.

    This is no tuple for an ``except`` clause, as CPython 3.14 matches none on a stack of less than 76 KiB.
    """
    return isinstance(error, (RecursionError, ValueError, *loaded(("msgspec", "MsgspecError"))))


def is_from_json(error: Exception) -> bool:
    """Whether a library raised a decoding error, and not a function of the caller's."""
    return isinstance(
        error,
        (
            RecursionError,
            *loaded(
                ("json", "JSONDecodeError"),
                ("msgspec", "MsgspecError"),
                ("pydantic_core", "ValidationError"),
                ("pydantic.v1", "ValidationError"),
            ),
        ),
    )


def explain(error: Exception) -> str:
    """A decoding error in one line."""
    if not hasattr(error, "errors"):
        return str(error)
    # pydantic's message has several lines for each fault.
    complaints = error.errors()
    told = "; ".join(": ".join([*map(str, one["loc"]), one["msg"]]) for one in complaints[:_COMPLAINTS])
    return told + ("; …" if len(complaints) > _COMPLAINTS else "")


def _same(value: Any) -> Any:
    return value


def _holds_pydantic(type_: Any) -> bool:
    from ssejet._pydantic import has_validator  # here, as a stream of plain JSON needs none of it

    parts = [type_]
    seen: dict[int, Any] = {}  # an alias may hold itself
    while parts:
        part = parts.pop()
        if has_validator(part):
            return True
        if id(part) not in seen:
            seen[id(part)] = part
            # A TypeAliasType or a NewType hides what it stands for in an attribute.
            hidden = (getattr(part, name, None) for name in ("__value__", "__supertype__"))
            parts += [*get_args(part), *filter(None, hidden)]
    return False


def _pydantic_cast(type_: Any) -> Cast:
    from ssejet._pydantic import is_from_pydantic_1, validator_of

    if is_from_pydantic_1(type_):
        return Cast(type_.parse_raw, type_.parse_obj)
    validator = validator_of(type_)
    return Cast(validator.validate_json, validator.validate_python)


def _is_msgspec_type(type_: Any) -> bool:
    if isinstance(type_, type) and get_origin(type_) is None and type_ is not Any:
        return _is_msgspec_class(type_)
    return (
        type_ is Any
        or get_origin(type_) is not None
        or hasattr(type_, "__value__")
        or hasattr(type_, "__supertype__")
    )


# Looking through a class takes as long as decoding a thousand of its instances, so the answer is kept.
@per_class
def _is_msgspec_class(cls: type[Any]) -> bool:
    from msgspec.inspect import CustomType, type_info

    return not isinstance(type_info(cls), CustomType)


def _msgspec_cast(type_: Any) -> Cast:
    import msgspec

    is_answer = hasattr(type_, "text_slot")

    def convert(value: Any) -> Any:
        return msgspec.convert(value, type_)

    try:
        decoded = type_.decoded_type() if is_answer else type_
        decode = msgspec.json.Decoder(decoded).decode
    except RecursionError as error:
        raise TypeError(
            f"cast_to is {type_!r}, an alias that holds itself, which msgspec cannot decode: make it a class "
            "that holds itself, such as a msgspec Struct, or a model of pydantic"
        ) from error
    if is_answer:
        return Cast(decode, type_.from_dict, answer=AnswerCast(type_))
    return Cast(decode, convert)
