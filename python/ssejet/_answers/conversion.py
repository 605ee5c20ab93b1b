"""What the conversions between protocols share."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Literal

from ssejet._answers.source import copy_json
from ssejet._json import dump_builtins, loads
from ssejet._pydantic import can_dump, to_builtins

if TYPE_CHECKING:
    from collections.abc import Iterator

    from typing_extensions import Required, TypedDict

    class ChatRequest(TypedDict, total=False):
        """The parameters of a chat completion that a conversation consists of."""

        messages: Required[list[dict[str, Any]]]
        tools: list[dict[str, Any]]
        tool_choice: str | dict[str, Any]
        parallel_tool_calls: bool

else:
    ChatRequest = dict

__all__ = [
    "ANTHROPIC_CONTENT",
    "CACHE_BREAKPOINT",
    "CACHE_CONTROL",
    "INVALID_JSON",
    "RESPONSES_ITEMS",
    "ChatRequest",
    "Converter",
    "Unmatched",
    "as_text",
    "call_of",
    "calls_of",
    "input_of",
    "numbered",
    "plain_object",
    "reasoning_of",
    "text_at",
    "without",
]

# The fields of a message of the model in which chat completions keep what they cannot say: the blocks of
# Messages, and the items of the Responses API.
ANTHROPIC_CONTENT = "anthropic_content"
RESPONSES_ITEMS = "responses_items"

# The name under which Messages keeps an input that is not JSON, and sends it back.
INVALID_JSON = "INVALID_JSON"

# How a part marks the end of a prompt's prefix that is to be cached: in Messages, and in OpenAI's protocols.
# Marks with a time to live have no counterpart: no two times are the same.
CACHE_CONTROL = ("cache_control", {"type": "ephemeral"})
CACHE_BREAKPOINT = ("prompt_cache_breakpoint", {"mode": "explicit"})

Unmatched = Literal["keep", "raise", "drop"]

# What the SDKs' objects have beside what the server sent: the values that they parsed.
_PARSED = frozenset({"parsed", "parsed_arguments"})


class Converter:
    """What all directions share: what to do with what has no counterpart.

    Attributes:
        target: the name of the protocol to which it converts.
        cache_marks: the name and the value of a mark for the cache, in the protocol from which it converts
            and in the target.
    """

    target: str
    cache_marks: tuple[tuple[str, dict[str, str]], tuple[str, dict[str, str]]] | None = None

    def __init__(self, unmatched: str) -> None:
        if unmatched not in {"keep", "raise", "drop"}:
            raise ValueError(f"unmatched must be 'keep', 'raise' or 'drop', not {unmatched!r}")
        self.unmatched = unmatched

    def keeps(self, what: str, where: str) -> bool:
        """Whether to keep something that has no counterpart.

        Raises:
            ValueError: it must have one.
        """
        if self.unmatched == "raise":
            raise ValueError(
                f"{where}: {what} has no counterpart in {self.target}: remove it, or pass "
                "unmatched='keep' to keep it as it is, or unmatched='drop' to leave it out"
            )
        return self.unmatched == "keep"

    def rest(self, fields: Mapping[str, Any], known: Iterable[str], where: str) -> dict[str, Any]:
        """The fields that have no counterpart, under their own names. Empty ones say nothing."""
        names = {*known}
        return {
            name: value
            for name, value in fields.items()
            if name not in names and value not in (None, [], {}) and self.keeps(repr(name), where)
        }

    def others(self, part: Mapping[str, Any], known: Iterable[str], where: str) -> dict[str, Any]:
        """The fields of a part of a content that are not among those that are known.

        A mark for the cache becomes the target's. The others have no counterpart.
        """
        names = {*known}
        others: dict[str, Any] = {}
        for name, value in part.items():
            if name in names or value is None:
                continue
            if self.cache_marks is not None and (name, value) == self.cache_marks[0]:
                other_name, other_value = self.cache_marks[1]
                others[other_name] = {**other_value}
            elif self.unmatched == "keep" or (value not in ([], {}) and self.keeps(repr(name), where)):
                others[name] = value
        return others

    def tool(self, tool: Any, where: str) -> dict[str, Any] | None:
        """A tool; None if it has no counterpart and is left out."""
        raise NotImplementedError

    def tools(self, tools: Iterable[Any]) -> list[dict[str, Any]]:
        """The tools that are not left out."""
        converted = [self.tool(tool, f"tools[{index}]") for index, tool in enumerate(tools)]
        return [tool for tool in converted if tool is not None]

    def no_role(self, message: Mapping[str, Any], where: str) -> ValueError:
        return ValueError(
            f"{where}: the role {message.get('role')!r} has no counterpart in {self.target}: convert the "
            "message yourself, or leave it out"
        )

    def no_choice(self, choice: Any) -> ValueError:
        what = f"tool_choice {choice!r} has no counterpart in {self.target}"
        return ValueError(f"{what}: pass another one, or None")


def numbered(values: Any, name: str) -> Iterator[tuple[str, Any]]:
    """Each message or item of a conversation, with the words for its place.

    Args:
        values: the conversation.
        name: of the parameter.

    Raises:
        TypeError: the conversation is no list, or a single message.
    """
    if not isinstance(values, Iterable) or isinstance(values, (str, bytes, Mapping)):
        raise TypeError(f"{name} must be a list of dicts or message objects, not {type(values).__name__}")
    return ((f"{name}[{index}]", value) for index, value in enumerate(values))


def text_at(fields: Mapping[str, Any], name: str) -> str:
    """A field with a word, such as the type of a part; "" if there is none, or something else."""
    word = fields.get(name)
    return word if isinstance(word, str) else ""


def plain_object(value: Any, where: str) -> dict[str, Any]:
    """A message, block, item or tool as a dict of its own."""
    if isinstance(value, Mapping):
        return dict(copy_json(dict(value)))
    if hasattr(value, "to_param"):
        value = value.to_param()
    elif hasattr(value, "to_dict"):
        value = _without_parsed(value.to_dict())
    elif can_dump(type(value)):
        value = _without_parsed(to_builtins(value))
    if not isinstance(value, Mapping):
        raise TypeError(f"{where} must be a dict or a message object, not {type(value).__name__}")
    return dict(copy_json(dict(value)))


def _without_parsed(value: Any) -> Any:
    """JSON of an SDK's object without the values that the SDK parsed, which no server takes."""
    if isinstance(value, dict):
        return {name: _without_parsed(each) for name, each in value.items() if name not in _PARSED}
    return [*map(_without_parsed, value)] if isinstance(value, list) else value


def without(fields: Mapping[str, Any], *names: str) -> dict[str, Any]:
    """The fields that are neither null nor named."""
    return {name: value for name, value in fields.items() if name not in names and value is not None}


def as_text(parts: list[dict[str, Any]], kind: str = "text") -> str | list[dict[str, Any]]:
    """A text, if the parts are just one text.

    Args:
        parts: the parts, or blocks.
        kind: the ``type`` of a text.
    """
    if not parts:
        return ""
    if len(parts) == 1 and parts[0].keys() == {"type", "text"} and parts[0]["type"] == kind:
        text: str = parts[0]["text"]
        return text
    return parts


def reasoning_of(message: Mapping[str, Any]) -> Any:
    """The reasoning of a message of chat completions, by whichever name the server has for it."""
    return message.get("reasoning_content") or message.get("reasoning")


def calls_of(message: Mapping[str, Any]) -> list[Any]:
    """The calls of a model's message of chat completions, also that in the older form, which has no id."""
    calls = message.get("tool_calls") or []
    function = message.get("function_call")
    if not function:
        return list(calls)
    return [*calls, {"id": function.get("name", ""), "type": "function", "function": function}]


def call_of(block: Mapping[str, Any]) -> dict[str, Any]:
    """The call of chat completions for a block that is a call."""
    if block.get("type") != "tool_use":
        return dict(block)
    given = block.get("input")
    if isinstance(given, Mapping) and given.keys() == {INVALID_JSON}:
        arguments = given[INVALID_JSON]
    else:
        arguments = dump_builtins({} if given is None else given)
    function = {"name": block.get("name") or "", "arguments": arguments}
    return {"id": block.get("id") or "", "type": "function", "function": function}


def input_of(arguments: Any) -> Any:
    """The input of a tool for the arguments of a function: a JSON text, or what a lenient server sends."""
    if arguments is None or (isinstance(arguments, str) and not arguments.strip()):
        return {}
    if not isinstance(arguments, str):
        return copy_json(arguments)
    try:
        return loads(arguments)
    except (ValueError, RecursionError):
        return {INVALID_JSON: arguments}
