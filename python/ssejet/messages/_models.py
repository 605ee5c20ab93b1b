"""Anthropic's message objects, under Anthropic's names.

Each field has a default, so a server may omit any of them. Fields that Anthropic does not document are in
``to_dict()`` and ``extra``. A block, delta or citation whose ``type`` is not known becomes an ``Unknown…``
object, which keeps all that the server sent. ``stop_reason`` and the like are plain strings, because servers
invent new ones.
"""

from __future__ import annotations

from collections.abc import Mapping  # noqa: TC003 (msgspec reads the annotations)
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Literal, TypeAlias

from msgspec import field

from ssejet._answers.base import Model, Response
from ssejet.chat._models import ResponseFormatT
from ssejet.messages._lenient import documented_message

if TYPE_CHECKING:
    from ssejet.chat._models import Documented
else:
    Documented = staticmethod

__all__ = [
    "BLOCKS_WITH_INPUT",
    "OTHER_DELTAS",
    "AdvisorToolResultBlock",
    "BashCodeExecutionToolResultBlock",
    "CacheCreation",
    "CitationCharLocation",
    "CitationContentBlockLocation",
    "CitationPageLocation",
    "CitationsDelta",
    "CitationsSearchResultLocation",
    "CitationsWebSearchResultLocation",
    "CodeExecutionToolResultBlock",
    "CompactionBlock",
    "CompactionDelta",
    "Container",
    "ContainerUploadBlock",
    "ContentBlock",
    "ContentBlockDelta",
    "FallbackBlock",
    "InputJSONDelta",
    "MCPToolListingBlock",
    "MCPToolResultBlock",
    "MCPToolUseBlock",
    "Message",
    "MessageDelta",
    "MessageDeltaUsage",
    "OutputTokensDetails",
    "ParsedContentBlock",
    "ParsedMessage",
    "ParsedTextBlock",
    "RedactedThinkingBlock",
    "RefusalStopDetails",
    "ServerToolUsage",
    "ServerToolUseBlock",
    "SignatureDelta",
    "TextBlock",
    "TextCitation",
    "TextDelta",
    "TextEditorCodeExecutionToolResultBlock",
    "ThinkingBlock",
    "ThinkingDelta",
    "ToolSearchToolResultBlock",
    "ToolUseBlock",
    "UnknownBlock",
    "UnknownCitation",
    "UnknownDelta",
    "Usage",
    "WebFetchToolResultBlock",
    "WebSearchToolResultBlock",
    "register",
]


class Tagged(Model, frozen=True, tag_field="type"):
    """A member of a union. Its field ``type`` says which member it is.

    Attributes:
        mark: a field that only this member has, by which it is found if the server sends no ``type``.
    """

    type: ClassVar[str]
    mark: ClassVar[str] = ""
    members: ClassVar[Mapping[str, Any]]
    unknown: ClassVar[Any]

    @classmethod
    def class_for(cls, data: Mapping[str, Any], /) -> Any:
        """The member of the union that the data names."""
        return class_named(cls, data)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Any:
        """Build the member of the union that the data names; see ``Model.from_dict``."""
        return super().from_dict(data)


def class_named(family: Any, data: Mapping[str, Any]) -> type[Model]:
    """The member of a union for decoded JSON: by its type, or without a type by a field that only it has."""
    kind = data.get("type")
    if isinstance(kind, str) and kind:
        return family.members.get(kind, family.unknown)  # type: ignore[no-any-return]
    for member in family.members.values():
        if member.mark and member.mark in data:
            return member  # type: ignore[no-any-return]
    return family.unknown  # type: ignore[no-any-return]


def register(family: Any, unknown: Any, members: tuple[Any, ...]) -> None:
    """Tell a union's base class its members, and the class for all others."""
    family.members = {member.type: member for member in members}
    family.unknown = unknown


class _Unknown(Model, frozen=True):
    """Mixin: an object whose type is not known. Its fields, except ``type``, are in ``extra``."""

    type: str = ""


# What text refers to.


class _Citation(Tagged, frozen=True):
    cited_text: str = ""
    document_index: int | None = None
    document_title: str | None = None
    file_id: str | None = None


class CitationCharLocation(_Citation, frozen=True, tag="char_location"):
    """Characters of a plain-text document that the text refers to."""

    type: ClassVar[Literal["char_location"]] = "char_location"
    start_char_index: int = 0
    end_char_index: int = 0


class CitationPageLocation(_Citation, frozen=True, tag="page_location"):
    """Pages of a PDF that the text refers to, counted from 1."""

    type: ClassVar[Literal["page_location"]] = "page_location"
    start_page_number: int = 0
    end_page_number: int = 0


class CitationContentBlockLocation(_Citation, frozen=True, tag="content_block_location"):
    """Blocks of a document that the text refers to."""

    type: ClassVar[Literal["content_block_location"]] = "content_block_location"
    start_block_index: int = 0
    end_block_index: int = 0


class CitationsWebSearchResultLocation(Tagged, frozen=True, tag="web_search_result_location"):
    """A result of a web search that the text refers to."""

    type: ClassVar[Literal["web_search_result_location"]] = "web_search_result_location"
    cited_text: str = ""
    encrypted_index: str = ""
    title: str | None = None
    url: str = ""


class CitationsSearchResultLocation(Tagged, frozen=True, tag="search_result_location"):
    """A search result of the request that the text refers to."""

    type: ClassVar[Literal["search_result_location"]] = "search_result_location"
    cited_text: str = ""
    search_result_index: int = 0
    source: str = ""
    title: str | None = None
    start_block_index: int = 0
    end_block_index: int = 0


class UnknownCitation(_Unknown, frozen=True):
    """A citation of a type that is not known. All its fields are in ``extra``."""


# The ``Unknown…`` classes are in no union, because then type checkers could not narrow one by ``type``.
TextCitation: TypeAlias = (
    CitationCharLocation
    | CitationPageLocation
    | CitationContentBlockLocation
    | CitationsWebSearchResultLocation
    | CitationsSearchResultLocation
)
register(Tagged, UnknownCitation, ())
for _family in TextCitation.__args__:
    register(_family, UnknownCitation, TextCitation.__args__)


# The blocks of a message.


OTHER_DELTAS = "other_deltas"
"""The extra field of a block with what deltas of other types of blocks hold."""


_NOT_SENT = frozenset({OTHER_DELTAS, "parsed_output"})


class _Block(Tagged, frozen=True):
    def to_param(self) -> dict[str, Any]:
        """The block for the content of the next request."""
        return {name: value for name, value in self.to_dict().items() if name not in _NOT_SENT}


class TextBlock(_Block, frozen=True, tag="text"):
    """Text of the answer, and what it refers to."""

    type: ClassVar[Literal["text"]] = "text"
    mark: ClassVar[str] = "text"
    text: str = ""
    citations: list[TextCitation] | None = None


class ThinkingBlock(_Block, frozen=True, tag="thinking"):
    """Thinking of the model. A request that sends it back needs the signature."""

    type: ClassVar[Literal["thinking"]] = "thinking"
    mark: ClassVar[str] = "thinking"
    thinking: str = ""
    signature: str = ""


class RedactedThinkingBlock(_Block, frozen=True, tag="redacted_thinking"):
    """Thinking that the server has encrypted."""

    type: ClassVar[Literal["redacted_thinking"]] = "redacted_thinking"
    mark: ClassVar[str] = "data"
    data: str = ""


class _Call(_Block, frozen=True):
    id: str = ""
    name: str = ""
    input: Any = field(default_factory=dict)


class ToolUseBlock(_Call, frozen=True, tag="tool_use"):
    """A call of a tool. ``input`` holds its arguments, by name.

    In a message that is not complete, ``input`` holds what has come so far. Input that is not JSON is a text
    under the name ``INVALID_JSON``, the form in which Anthropic asks to send it back.
    """

    type: ClassVar[Literal["tool_use"]] = "tool_use"
    mark: ClassVar[str] = "input"
    caller: dict[str, Any] | None = None
    toolset_name: str | None = None


class ServerToolUseBlock(_Call, frozen=True, tag="server_tool_use"):
    """A call of a tool that the server runs."""

    type: ClassVar[Literal["server_tool_use"]] = "server_tool_use"
    caller: dict[str, Any] | None = None


class MCPToolUseBlock(_Call, frozen=True, tag="mcp_tool_use"):
    """A call of a tool of an MCP server, which Anthropic's server calls."""

    type: ClassVar[Literal["mcp_tool_use"]] = "mcp_tool_use"
    server_name: str = ""


class _Result(_Block, frozen=True):
    tool_use_id: str = ""
    content: Any = None


class MCPToolResultBlock(_Result, frozen=True, tag="mcp_tool_result"):
    """What a tool of an MCP server answered: a text, or text blocks."""

    type: ClassVar[Literal["mcp_tool_result"]] = "mcp_tool_result"
    is_error: bool = False


class WebSearchToolResultBlock(_Result, frozen=True, tag="web_search_tool_result"):
    """The results of a web search as JSON objects, or the error."""

    type: ClassVar[Literal["web_search_tool_result"]] = "web_search_tool_result"
    caller: dict[str, Any] | None = None


class WebFetchToolResultBlock(_Result, frozen=True, tag="web_fetch_tool_result"):
    """A fetched page as a JSON object, or the error."""

    type: ClassVar[Literal["web_fetch_tool_result"]] = "web_fetch_tool_result"
    caller: dict[str, Any] | None = None


class CodeExecutionToolResultBlock(_Result, frozen=True, tag="code_execution_tool_result"):
    """The result of executed code as a JSON object."""

    type: ClassVar[Literal["code_execution_tool_result"]] = "code_execution_tool_result"


class BashCodeExecutionToolResultBlock(_Result, frozen=True, tag="bash_code_execution_tool_result"):
    """The result of a shell command as a JSON object."""

    type: ClassVar[Literal["bash_code_execution_tool_result"]] = "bash_code_execution_tool_result"


class TextEditorCodeExecutionToolResultBlock(
    _Result, frozen=True, tag="text_editor_code_execution_tool_result"
):
    """The result of a command of the text editor as a JSON object."""

    type: ClassVar[Literal["text_editor_code_execution_tool_result"]] = (
        "text_editor_code_execution_tool_result"
    )


class ToolSearchToolResultBlock(_Result, frozen=True, tag="tool_search_tool_result"):
    """The tools that a search found, as a JSON object."""

    type: ClassVar[Literal["tool_search_tool_result"]] = "tool_search_tool_result"


class AdvisorToolResultBlock(_Result, frozen=True, tag="advisor_tool_result"):
    """What the advisor answered, as a JSON object."""

    type: ClassVar[Literal["advisor_tool_result"]] = "advisor_tool_result"


class ContainerUploadBlock(_Block, frozen=True, tag="container_upload"):
    """A file that was uploaded to the container."""

    type: ClassVar[Literal["container_upload"]] = "container_upload"
    file_id: str = ""


class CompactionBlock(_Block, frozen=True, tag="compaction"):
    """A summary that stands for an earlier part of the conversation."""

    type: ClassVar[Literal["compaction"]] = "compaction"
    content: str | None = None
    encrypted_content: str | None = None
    signature: str | None = None
    tool_changes: list[Any] | None = None


class FallbackBlock(_Block, frozen=True, tag="fallback"):
    """The place where another model goes on. In JSON, ``from_`` is ``from``."""

    type: ClassVar[Literal["fallback"]] = "fallback"
    from_: dict[str, Any] | None = field(default=None, name="from")
    to: dict[str, Any] | None = None
    trigger: dict[str, Any] | None = None


class MCPToolListingBlock(_Block, frozen=True, tag="mcp_tool_listing"):
    """The tools of an MCP server."""

    type: ClassVar[Literal["mcp_tool_listing"]] = "mcp_tool_listing"
    mcp_server_name: str = ""
    tools: list[Any] = field(default_factory=list)


class UnknownBlock(_Unknown, frozen=True):
    """A block of a type that is not known. All its fields are in ``extra``."""

    def to_param(self) -> dict[str, Any]:
        """The block for the content of the next request."""
        return self.to_dict()


ContentBlock: TypeAlias = (
    TextBlock
    | ThinkingBlock
    | RedactedThinkingBlock
    | ToolUseBlock
    | ServerToolUseBlock
    | WebSearchToolResultBlock
    | WebFetchToolResultBlock
    | CodeExecutionToolResultBlock
    | BashCodeExecutionToolResultBlock
    | TextEditorCodeExecutionToolResultBlock
    | ToolSearchToolResultBlock
    | AdvisorToolResultBlock
    | MCPToolUseBlock
    | MCPToolResultBlock
    | MCPToolListingBlock
    | ContainerUploadBlock
    | CompactionBlock
    | FallbackBlock
)
register(_Block, UnknownBlock, ContentBlock.__args__)
BLOCKS_WITH_INPUT: tuple[type[_Call], ...] = (ToolUseBlock, ServerToolUseBlock, MCPToolUseBlock)


# What an event adds to a block.


class _Delta(Tagged, frozen=True):
    pass


class TextDelta(_Delta, frozen=True, tag="text_delta"):
    """More text."""

    type: ClassVar[Literal["text_delta"]] = "text_delta"
    mark: ClassVar[str] = "text"
    text: str = ""


class InputJSONDelta(_Delta, frozen=True, tag="input_json_delta"):
    """More of the JSON text of a tool's input."""

    type: ClassVar[Literal["input_json_delta"]] = "input_json_delta"
    mark: ClassVar[str] = "partial_json"
    partial_json: str = ""


class ThinkingDelta(_Delta, frozen=True, tag="thinking_delta"):
    """More thinking."""

    type: ClassVar[Literal["thinking_delta"]] = "thinking_delta"
    mark: ClassVar[str] = "thinking"
    thinking: str = ""


class SignatureDelta(_Delta, frozen=True, tag="signature_delta"):
    """The signature of a thinking block."""

    type: ClassVar[Literal["signature_delta"]] = "signature_delta"
    mark: ClassVar[str] = "signature"
    signature: str = ""


class CitationsDelta(_Delta, frozen=True, tag="citations_delta"):
    """One more citation of a text block."""

    type: ClassVar[Literal["citations_delta"]] = "citations_delta"
    mark: ClassVar[str] = "citation"
    citation: TextCitation | None = None


class CompactionDelta(_Delta, frozen=True, tag="compaction_delta"):
    """The content of a compaction block, as a whole."""

    type: ClassVar[Literal["compaction_delta"]] = "compaction_delta"
    mark: ClassVar[str] = "encrypted_content"
    content: str | None = None
    encrypted_content: str | None = None


class UnknownDelta(_Unknown, frozen=True):
    """A delta of a type that is not known. All its fields are in ``extra``."""


ContentBlockDelta: TypeAlias = (
    TextDelta | InputJSONDelta | ThinkingDelta | SignatureDelta | CitationsDelta | CompactionDelta
)
register(_Delta, UnknownDelta, ContentBlockDelta.__args__)


# The message.


class CacheCreation(Model, frozen=True):
    """The tokens written to the cache, by how long they are kept."""

    ephemeral_1h_input_tokens: int = 0
    ephemeral_5m_input_tokens: int = 0


class OutputTokensDetails(Model, frozen=True):
    """How many of the output tokens were thinking."""

    thinking_tokens: int = 0


class ServerToolUsage(Model, frozen=True):
    """How often tools of the server were used."""

    web_fetch_requests: int = 0
    web_search_requests: int = 0


class _AnyUsage(Model, frozen=True):
    """Mixin: the counts that a message and an event of its end have."""

    cache_creation_input_tokens: int | None = None
    cache_read_input_tokens: int | None = None
    output_tokens_details: OutputTokensDetails | None = None
    server_tool_use: ServerToolUsage | None = None
    iterations: list[Any] | None = None
    fallback_credit: dict[str, Any] | None = None
    cache_creation: CacheCreation | None = None
    inference_geo: str | None = None
    service_tier: str | None = None
    speed: str | None = None


class Usage(_AnyUsage, frozen=True):
    """Token counts. ``input_tokens`` does not include those that were written to or read from the cache."""

    input_tokens: int = 0
    output_tokens: int = 0


class MessageDeltaUsage(_AnyUsage, frozen=True):
    """Token counts from the beginning of the message to this event."""

    input_tokens: int | None = None
    output_tokens: int | None = None


class Container(Model, frozen=True):
    """The container in which the server executed code. ``expires_at`` is a time in ISO 8601."""

    id: str = ""
    expires_at: str = ""
    skills: list[Any] | None = None


class RefusalStopDetails(Model, frozen=True):
    """Why the model refused. ``type`` is ``"refusal"``."""

    type: str = "refusal"
    category: str | None = None
    explanation: str | None = None


class MessageDelta(Model, frozen=True):
    """What the end of a message adds to it."""

    stop_reason: str | None = None
    stop_sequence: str | None = None
    stop_details: RefusalStopDetails | None = None
    container: Container | None = None


class Message(Response, frozen=True):
    """A message of the model."""

    id: str = ""
    type: str = "message"
    role: str = "assistant"
    model: str = ""
    content: list[ContentBlock] = field(default_factory=list)
    stop_reason: str | None = None
    stop_sequence: str | None = None
    stop_details: RefusalStopDetails | None = None
    usage: Usage = Usage()
    container: Container | None = None
    context_management: dict[str, Any] | None = None
    input_transformations: list[Any] | None = None
    diagnostics: dict[str, Any] | None = None

    documented: ClassVar[Documented] = staticmethod(documented_message)

    @classmethod
    def is_answer(cls, data: Mapping[str, Any]) -> bool:
        """Whether decoded JSON, the ``data``, is a message."""
        return isinstance(data.get("content"), (list, str)) or data.get("type") == "message"

    @property
    def text(self) -> str:
        """The text of all text blocks."""
        return "".join([block.text for block in self.content if isinstance(block, TextBlock)])

    @property
    def thinking(self) -> str:
        """The text of all thinking blocks."""
        return "".join([block.thinking for block in self.content if isinstance(block, ThinkingBlock)])

    @property
    def tool_uses(self) -> list[ToolUseBlock]:
        """The calls of tools that the caller has to run."""
        return [block for block in self.content if isinstance(block, ToolUseBlock)]

    def to_param(self) -> dict[str, Any]:
        """The message for the ``messages`` of the next request.

        It has all blocks, thinking with its signature too, and unknown ones as they came. Only empty text
        blocks are left out, because the API refuses them.
        """
        content = [
            block.to_param() for block in self.content if not isinstance(block, TextBlock) or block.text
        ]
        return {"role": self.role, "content": content}


# A message with what was parsed. The garbage collector tracks these, because users' objects may refer to
# themselves.


class ParsedTextBlock(TextBlock, Generic[ResponseFormatT], frozen=True, gc=True, tag="text"):
    """Text of the answer, parsed if an ``output_format`` says into what."""

    parsed_output: ResponseFormatT | None = None


ParsedContentBlock: TypeAlias = (
    ParsedTextBlock[ResponseFormatT]
    | ThinkingBlock
    | RedactedThinkingBlock
    | ToolUseBlock
    | ServerToolUseBlock
    | WebSearchToolResultBlock
    | WebFetchToolResultBlock
    | CodeExecutionToolResultBlock
    | BashCodeExecutionToolResultBlock
    | TextEditorCodeExecutionToolResultBlock
    | ToolSearchToolResultBlock
    | AdvisorToolResultBlock
    | MCPToolUseBlock
    | MCPToolResultBlock
    | MCPToolListingBlock
    | ContainerUploadBlock
    | CompactionBlock
    | FallbackBlock
)


class ParsedMessage(Message, Generic[ResponseFormatT], frozen=True, gc=True):
    """A message, parsed if an ``output_format`` says into what.

    Put together from a stream, it has the fields that the server added to its events.
    """

    if TYPE_CHECKING:
        content: list[ParsedContentBlock[ResponseFormatT]] = field(default_factory=list)  # type: ignore[assignment]

    @property
    def parsed_output(self) -> ResponseFormatT | None:
        """The value of the first text block that has one."""
        for block in self.content:
            if isinstance(block, ParsedTextBlock) and block.parsed_output is not None:
                value: ResponseFormatT = block.parsed_output
                return value
        return None

    def to_dict(self) -> dict[str, Any]:
        """The fields that are not None, and those that the server added, as JSON types."""
        return Model.to_dict(self)

    def __reduce__(self) -> Any:
        return Model.__reduce__(self)
