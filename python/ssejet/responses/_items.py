"""The items of a response's output, and the parts of which they consist, under OpenAI's names.

Each field has a default, so a server may omit any of them. Objects whose form differs from tool to tool, such
as actions and results, are decoded JSON. ``status`` and the like are plain strings, because servers invent
new ones. An object whose ``type`` is not known becomes an ``Unknown…`` object, which keeps all that was sent.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Generic, Literal, TypeAlias, Union

from msgspec import field

from ssejet.responses._base import Part, TextFormatT, by_type

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "AdditionalTools",
    "Annotation",
    "AnnotationContainerFileCitation",
    "AnnotationFileCitation",
    "AnnotationFilePath",
    "AnnotationInJSON",
    "AnnotationURLCitation",
    "ContentPart",
    "ImageGenerationCall",
    "ItemInJSON",
    "LocalShellCall",
    "LocalShellCallOutput",
    "Logprob",
    "LogprobTopLogprob",
    "McpApprovalRequest",
    "McpApprovalResponse",
    "McpCall",
    "McpListTools",
    "ParsedContent",
    "ParsedResponseFunctionToolCall",
    "ParsedResponseOutputItem",
    "ParsedResponseOutputMessage",
    "ParsedResponseOutputText",
    "PartInJSON",
    "Program",
    "ProgramOutput",
    "ResponseApplyPatchToolCall",
    "ResponseApplyPatchToolCallOutput",
    "ResponseCodeInterpreterToolCall",
    "ResponseCompactionItem",
    "ResponseComputerToolCall",
    "ResponseComputerToolCallOutputItem",
    "ResponseCustomToolCall",
    "ResponseCustomToolCallOutputItem",
    "ResponseFileSearchToolCall",
    "ResponseFunctionShellToolCall",
    "ResponseFunctionShellToolCallOutput",
    "ResponseFunctionToolCall",
    "ResponseFunctionToolCallOutputItem",
    "ResponseFunctionWebSearch",
    "ResponseOutputItem",
    "ResponseOutputMessage",
    "ResponseOutputRefusal",
    "ResponseOutputText",
    "ResponseReasoningItem",
    "ResponseReasoningSummary",
    "ResponseReasoningText",
    "ResponseToolSearchCall",
    "ResponseToolSearchOutputItem",
    "UnknownAnnotation",
    "UnknownContentPart",
    "UnknownOutputItem",
]


class LogprobTopLogprob(Part, frozen=True):
    """A likely token at one position, its UTF-8 bytes, and the natural logarithm of its probability."""

    token: str = ""
    logprob: float = 0.0
    bytes: list[int] | None = None


class Logprob(Part, frozen=True):
    """The token at one position, and the likeliest ones there."""

    token: str = ""
    logprob: float = 0.0
    bytes: list[int] | None = None
    top_logprobs: list[LogprobTopLogprob] | None = None


# What a text cites.


class _Annotation(Part, frozen=True, tag_field="type"):
    @classmethod
    def class_for(cls, data: Mapping[str, Any], /) -> type[Part]:
        return _class_of(data, _ANNOTATIONS, cls, UnknownAnnotation)


class AnnotationFileCitation(_Annotation, frozen=True, tag="file_citation"):
    """A file that is cited at the character ``index`` of the text."""

    type: ClassVar[Literal["file_citation"]] = "file_citation"

    file_id: str = ""
    filename: str = ""
    index: int | None = None


class AnnotationURLCitation(_Annotation, frozen=True, tag="url_citation"):
    """A web page that is cited for the characters from ``start_index`` to ``end_index``."""

    type: ClassVar[Literal["url_citation"]] = "url_citation"

    url: str = ""
    title: str = ""
    start_index: int | None = None
    end_index: int | None = None


class AnnotationContainerFileCitation(_Annotation, frozen=True, tag="container_file_citation"):
    """A file of a container that is cited for the characters from ``start_index`` to ``end_index``."""

    type: ClassVar[Literal["container_file_citation"]] = "container_file_citation"

    container_id: str = ""
    file_id: str = ""
    filename: str = ""
    start_index: int | None = None
    end_index: int | None = None


class AnnotationFilePath(_Annotation, frozen=True, tag="file_path"):
    """The path of a file, which is at the character ``index`` of the text."""

    type: ClassVar[Literal["file_path"]] = "file_path"

    file_id: str = ""
    index: int | None = None


class UnknownAnnotation(Part, frozen=True):
    """An annotation whose type is not known."""

    if TYPE_CHECKING:
        # A type that no other class has, so that a comparison with theirs rules this class out.
        type: Literal["unknown"] = "unknown"
    else:
        type: str = ""


# What a message or a reasoning item consists of.


class _ContentPart(Part, frozen=True, tag_field="type"):
    @classmethod
    def class_for(cls, data: Mapping[str, Any], /) -> type[Part]:
        return _class_of(data, _PARSED_PARTS if cls in _PARSED else _PARTS, cls, UnknownContentPart)


class ResponseOutputText(_ContentPart, frozen=True, tag="output_text"):
    """Text of the answer, with what it cites."""

    type: ClassVar[Literal["output_text"]] = "output_text"

    text: str = ""
    annotations: list[AnnotationInJSON] = field(default_factory=list)
    logprobs: list[Logprob] | None = None


class ResponseOutputRefusal(_ContentPart, frozen=True, tag="refusal"):
    """The model's reason why it refuses to answer."""

    type: ClassVar[Literal["refusal"]] = "refusal"

    refusal: str = ""


class ResponseReasoningText(_ContentPart, frozen=True, tag="reasoning_text"):
    """Text of the model's reasoning."""

    type: ClassVar[Literal["reasoning_text"]] = "reasoning_text"

    text: str = ""


class ResponseReasoningSummary(_ContentPart, frozen=True, tag="summary_text"):
    """A summary of some of the model's reasoning."""

    type: ClassVar[Literal["summary_text"]] = "summary_text"

    text: str = ""


class UnknownContentPart(Part, frozen=True):
    """A part whose type is not known."""

    if TYPE_CHECKING:
        # A type that no other class has, so that a comparison with theirs rules this class out.
        type: Literal["unknown"] = "unknown"
    else:
        type: str = ""


class ParsedResponseOutputText(
    ResponseOutputText, Generic[TextFormatT], frozen=True, gc=True, tag="output_text"
):
    """Text of the answer that is parsed too, if a ``text_format`` says into what."""

    parsed: TextFormatT | None = None


# The items of the output.


class _Item(Part, frozen=True, tag_field="type"):
    @classmethod
    def class_for(cls, data: Mapping[str, Any], /) -> type[Part]:
        return _class_of(data, _PARSED_ITEMS if cls in _PARSED else _ITEMS, cls, UnknownOutputItem)


class ResponseOutputMessage(_Item, frozen=True, tag="message"):
    """A message of the model. Its ``phase`` may be ``"commentary"`` or ``"final_answer"``."""

    type: ClassVar[Literal["message"]] = "message"

    id: str = ""
    content: list[PartInJSON] = field(default_factory=list)
    role: str = "assistant"
    status: str | None = None
    phase: str | None = None


class ResponseReasoningItem(_Item, frozen=True, tag="reasoning"):
    """Reasoning of the model: its summary, its text if the server sends it, or both encrypted."""

    type: ClassVar[Literal["reasoning"]] = "reasoning"

    id: str = ""
    summary: list[PartInJSON] = field(default_factory=list)
    content: list[PartInJSON] | None = None
    encrypted_content: str | None = None
    status: str | None = None


class ResponseFunctionToolCall(_Item, frozen=True, tag="function_call"):
    """A call of a function. ``arguments`` is JSON text, which is not valid if the model made a mistake.

    ``call_id`` is what the call's output refers to.
    """

    type: ClassVar[Literal["function_call"]] = "function_call"

    arguments: str = ""
    call_id: str = ""
    name: str = ""
    id: str | None = None
    async_: bool | None = field(default=None, name="async")
    caller: Any = None
    namespace: str | None = None
    status: str | None = None


class ResponseFunctionToolCallOutputItem(_Item, frozen=True, tag="function_call_output"):
    """What a function returned."""

    type: ClassVar[Literal["function_call_output"]] = "function_call_output"

    id: str = ""
    output: Any = None
    status: str | None = None
    call_id: str | None = None
    caller: Any = None
    created_by: str | None = None
    name: str | None = None
    namespace: str | None = None


class ResponseCustomToolCall(_Item, frozen=True, tag="custom_tool_call"):
    """A call of a custom tool, whose ``input`` has any form."""

    type: ClassVar[Literal["custom_tool_call"]] = "custom_tool_call"

    call_id: str = ""
    input: str = ""
    name: str = ""
    id: str | None = None
    async_: bool | None = field(default=None, name="async")
    caller: Any = None
    namespace: str | None = None


class ResponseCustomToolCallOutputItem(_Item, frozen=True, tag="custom_tool_call_output"):
    """What a custom tool returned."""

    type: ClassVar[Literal["custom_tool_call_output"]] = "custom_tool_call_output"

    call_id: str = ""
    output: Any = None
    id: str = ""
    caller: Any = None
    status: str | None = None
    created_by: str | None = None


class ResponseFileSearchToolCall(_Item, frozen=True, tag="file_search_call"):
    """A search in files: its queries, and its results if the request asks for them."""

    type: ClassVar[Literal["file_search_call"]] = "file_search_call"

    id: str = ""
    queries: list[str] = field(default_factory=list)
    status: str | None = None
    results: list[dict[str, Any]] | None = None


class ResponseFunctionWebSearch(_Item, frozen=True, tag="web_search_call"):
    """A search of the web, or what the model does with a page."""

    type: ClassVar[Literal["web_search_call"]] = "web_search_call"

    id: str = ""
    action: dict[str, Any] | None = None
    status: str | None = None


class ResponseComputerToolCall(_Item, frozen=True, tag="computer_call"):
    """What the model does with a computer."""

    type: ClassVar[Literal["computer_call"]] = "computer_call"

    id: str = ""
    call_id: str = ""
    pending_safety_checks: list[dict[str, Any]] = field(default_factory=list)
    status: str | None = None
    action: dict[str, Any] | None = None
    actions: list[dict[str, Any]] | None = None


class ResponseComputerToolCallOutputItem(_Item, frozen=True, tag="computer_call_output"):
    """What the computer shows after the model's action."""

    type: ClassVar[Literal["computer_call_output"]] = "computer_call_output"

    id: str = ""
    call_id: str = ""
    output: dict[str, Any] | None = None
    status: str | None = None
    acknowledged_safety_checks: list[dict[str, Any]] | None = None
    created_by: str | None = None


class Program(_Item, frozen=True, tag="program"):
    """A program of the model that calls tools."""

    type: ClassVar[Literal["program"]] = "program"

    id: str = ""
    call_id: str = ""
    code: str = ""
    fingerprint: str = ""


class ProgramOutput(_Item, frozen=True, tag="program_output"):
    """What a program of the model returned."""

    type: ClassVar[Literal["program_output"]] = "program_output"

    id: str = ""
    call_id: str = ""
    result: str = ""
    status: str | None = None


class ResponseToolSearchCall(_Item, frozen=True, tag="tool_search_call"):
    """A search for tools."""

    type: ClassVar[Literal["tool_search_call"]] = "tool_search_call"

    id: str = ""
    arguments: Any = None
    call_id: str | None = None
    execution: str = ""
    status: str | None = None
    created_by: str | None = None


class ResponseToolSearchOutputItem(_Item, frozen=True, tag="tool_search_output"):
    """The tools that a search found."""

    type: ClassVar[Literal["tool_search_output"]] = "tool_search_output"

    id: str = ""
    call_id: str | None = None
    execution: str = ""
    status: str | None = None
    tools: list[dict[str, Any]] = field(default_factory=list)
    created_by: str | None = None


class AdditionalTools(_Item, frozen=True, tag="additional_tools"):
    """Tools that became available during the response."""

    type: ClassVar[Literal["additional_tools"]] = "additional_tools"

    id: str = ""
    role: str = ""
    tools: list[dict[str, Any]] = field(default_factory=list)


class ResponseCompactionItem(_Item, frozen=True, tag="compaction"):
    """What stands for the part of the conversation that was compacted, encrypted."""

    type: ClassVar[Literal["compaction"]] = "compaction"

    id: str = ""
    encrypted_content: str = ""
    created_by: str | None = None


class ImageGenerationCall(_Item, frozen=True, tag="image_generation_call"):
    """A call of the image generator; ``result`` is the image in base64."""

    type: ClassVar[Literal["image_generation_call"]] = "image_generation_call"

    id: str = ""
    result: str | None = None
    status: str | None = None
    action: str | None = None
    background: str | None = None
    error: dict[str, Any] | None = None
    output_format: str | None = None
    quality: str | None = None
    revised_prompt: str | None = None
    size: str | None = None
    svg_usage: dict[str, Any] | None = None


class ResponseCodeInterpreterToolCall(_Item, frozen=True, tag="code_interpreter_call"):
    """Code that the model ran, and its outputs."""

    type: ClassVar[Literal["code_interpreter_call"]] = "code_interpreter_call"

    id: str = ""
    code: str | None = None
    container_id: str = ""
    outputs: list[dict[str, Any]] | None = None
    status: str | None = None


class LocalShellCall(_Item, frozen=True, tag="local_shell_call"):
    """A command for the user's own shell."""

    type: ClassVar[Literal["local_shell_call"]] = "local_shell_call"

    id: str = ""
    action: dict[str, Any] | None = None
    call_id: str = ""
    status: str | None = None


class LocalShellCallOutput(_Item, frozen=True, tag="local_shell_call_output"):
    """What a command of the user's own shell returned."""

    type: ClassVar[Literal["local_shell_call_output"]] = "local_shell_call_output"

    id: str = ""
    output: str = ""
    status: str | None = None


class ResponseFunctionShellToolCall(_Item, frozen=True, tag="shell_call"):
    """Commands for a shell; ``action`` has them as ``commands``."""

    type: ClassVar[Literal["shell_call"]] = "shell_call"

    id: str = ""
    action: dict[str, Any] | None = None
    call_id: str = ""
    environment: dict[str, Any] | None = None
    status: str | None = None
    caller: Any = None
    created_by: str | None = None


class ResponseFunctionShellToolCallOutput(_Item, frozen=True, tag="shell_call_output"):
    """What the commands of a shell wrote, one entry per command."""

    type: ClassVar[Literal["shell_call_output"]] = "shell_call_output"

    id: str = ""
    call_id: str = ""
    max_output_length: int | None = None
    output: list[dict[str, Any]] = field(default_factory=list)
    status: str | None = None
    caller: Any = None
    created_by: str | None = None


class ResponseApplyPatchToolCall(_Item, frozen=True, tag="apply_patch_call"):
    """A change of a file."""

    type: ClassVar[Literal["apply_patch_call"]] = "apply_patch_call"

    id: str = ""
    call_id: str = ""
    operation: dict[str, Any] | None = None
    status: str | None = None
    caller: Any = None
    created_by: str | None = None


class ResponseApplyPatchToolCallOutput(_Item, frozen=True, tag="apply_patch_call_output"):
    """What came of a change of a file."""

    type: ClassVar[Literal["apply_patch_call_output"]] = "apply_patch_call_output"

    id: str = ""
    call_id: str = ""
    status: str | None = None
    caller: Any = None
    created_by: str | None = None
    output: str | None = None


class McpCall(_Item, frozen=True, tag="mcp_call"):
    """A call of a tool of an MCP server, and its output or error."""

    type: ClassVar[Literal["mcp_call"]] = "mcp_call"

    id: str = ""
    arguments: str = ""
    name: str = ""
    server_label: str = ""
    approval_request_id: str | None = None
    error: Any = None
    output: str | None = None
    status: str | None = None


class McpListTools(_Item, frozen=True, tag="mcp_list_tools"):
    """The tools of an MCP server."""

    type: ClassVar[Literal["mcp_list_tools"]] = "mcp_list_tools"

    id: str = ""
    server_label: str = ""
    tools: list[dict[str, Any]] = field(default_factory=list)
    error: Any = None


class McpApprovalRequest(_Item, frozen=True, tag="mcp_approval_request"):
    """A call of a tool of an MCP server that a human must approve."""

    type: ClassVar[Literal["mcp_approval_request"]] = "mcp_approval_request"

    id: str = ""
    arguments: str = ""
    name: str = ""
    server_label: str = ""


class McpApprovalResponse(_Item, frozen=True, tag="mcp_approval_response"):
    """Whether a human approved a call."""

    type: ClassVar[Literal["mcp_approval_response"]] = "mcp_approval_response"

    id: str = ""
    approval_request_id: str = ""
    approve: bool = False
    reason: str | None = None


class UnknownOutputItem(Part, frozen=True):
    """An item whose type is not known."""

    if TYPE_CHECKING:
        # A type that no other class has, so that a comparison with theirs rules this class out.
        type: Literal["unknown"] = "unknown"
    else:
        type: str = ""

    id: str = ""
    status: str | None = None


# The same, put together from a stream, with what was parsed. The garbage collector tracks these, because
# users' objects may refer to themselves.


class ParsedResponseOutputMessage(
    ResponseOutputMessage, Generic[TextFormatT], frozen=True, gc=True, tag="message"
):
    """A message whose texts are parsed too, if a ``text_format`` says into what."""

    if TYPE_CHECKING:
        content: list[ParsedContent[TextFormatT]] = field(default_factory=list)  # type: ignore[assignment]
    else:
        content: list[ParsedPartInJSON] = field(default_factory=list)


class ParsedResponseFunctionToolCall(ResponseFunctionToolCall, frozen=True, gc=True, tag="function_call"):
    """A call of a function whose arguments are parsed too, if its tool is strict."""

    parsed_arguments: Any = None


def _class_of(
    data: Mapping[str, Any], known: Mapping[Any, type[Part]], cls: type[Part], other: type[Part]
) -> type[Part]:
    """The class for an object of a union: without a type, the union's first, or the one asked for."""
    kind = data.get("type")
    if kind is None:
        return cls
    return known.get(kind, other) if isinstance(kind, str) else other


_OTHER_ITEMS = (
    ResponseReasoningItem,
    ResponseFunctionToolCallOutputItem,
    ResponseCustomToolCall,
    ResponseCustomToolCallOutputItem,
    ResponseFileSearchToolCall,
    ResponseFunctionWebSearch,
    ResponseComputerToolCall,
    ResponseComputerToolCallOutputItem,
    Program,
    ProgramOutput,
    ResponseToolSearchCall,
    ResponseToolSearchOutputItem,
    AdditionalTools,
    ResponseCompactionItem,
    ImageGenerationCall,
    ResponseCodeInterpreterToolCall,
    LocalShellCall,
    LocalShellCallOutput,
    ResponseFunctionShellToolCall,
    ResponseFunctionShellToolCallOutput,
    ResponseApplyPatchToolCall,
    ResponseApplyPatchToolCallOutput,
    McpCall,
    McpListTools,
    McpApprovalRequest,
    McpApprovalResponse,
)
_ANNOTATIONS = by_type(
    AnnotationFileCitation, AnnotationURLCitation, AnnotationContainerFileCitation, AnnotationFilePath
)
_OTHER_PARTS = (ResponseOutputRefusal, ResponseReasoningText, ResponseReasoningSummary)
_PARTS = by_type(ResponseOutputText, *_OTHER_PARTS)
_ITEMS = by_type(ResponseOutputMessage, ResponseFunctionToolCall, *_OTHER_ITEMS)
_PARSED_PARTS = by_type(ParsedResponseOutputText, *_OTHER_PARTS)
_PARSED_ITEMS = by_type(ParsedResponseOutputMessage, ParsedResponseFunctionToolCall, *_OTHER_ITEMS)
# Of each union, msgspec's first class stands for it in class_for().
_PARSED = frozenset({ParsedResponseOutputText, ParsedResponseOutputMessage, ParsedResponseFunctionToolCall})

if TYPE_CHECKING:
    Annotation: TypeAlias = (
        AnnotationFileCitation
        | AnnotationURLCitation
        | AnnotationContainerFileCitation
        | AnnotationFilePath
        | UnknownAnnotation
    )
    _OtherPart: TypeAlias = (
        ResponseOutputRefusal | ResponseReasoningText | ResponseReasoningSummary | UnknownContentPart
    )
    ContentPart: TypeAlias = ResponseOutputText | _OtherPart
    ParsedContent: TypeAlias = ParsedResponseOutputText[TextFormatT] | _OtherPart
    _OtherItem: TypeAlias = (
        ResponseReasoningItem
        | ResponseFunctionToolCallOutputItem
        | ResponseCustomToolCall
        | ResponseCustomToolCallOutputItem
        | ResponseFileSearchToolCall
        | ResponseFunctionWebSearch
        | ResponseComputerToolCall
        | ResponseComputerToolCallOutputItem
        | Program
        | ProgramOutput
        | ResponseToolSearchCall
        | ResponseToolSearchOutputItem
        | AdditionalTools
        | ResponseCompactionItem
        | ImageGenerationCall
        | ResponseCodeInterpreterToolCall
        | LocalShellCall
        | LocalShellCallOutput
        | ResponseFunctionShellToolCall
        | ResponseFunctionShellToolCallOutput
        | ResponseApplyPatchToolCall
        | ResponseApplyPatchToolCallOutput
        | McpCall
        | McpListTools
        | McpApprovalRequest
        | McpApprovalResponse
        | UnknownOutputItem
    )
    ResponseOutputItem: TypeAlias = ResponseOutputMessage | ResponseFunctionToolCall | _OtherItem
    ParsedResponseOutputItem: TypeAlias = (
        ParsedResponseOutputMessage[TextFormatT] | ParsedResponseFunctionToolCall | _OtherItem
    )
    AnnotationInJSON: TypeAlias = Annotation
    PartInJSON: TypeAlias = ContentPart
    ItemInJSON: TypeAlias = ResponseOutputItem
else:
    # msgspec takes no classes without a tag into a union.
    AnnotationInJSON = Union[tuple(_ANNOTATIONS.values())]  # noqa: UP007
    PartInJSON = Union[tuple(_PARTS.values())]  # noqa: UP007
    ParsedPartInJSON = Union[tuple(_PARSED_PARTS.values())]  # noqa: UP007
    ItemInJSON = Union[tuple(_ITEMS.values())]  # noqa: UP007
    ParsedItemInJSON = Union[tuple(_PARSED_ITEMS.values())]  # noqa: UP007
    Annotation = Union[(*_ANNOTATIONS.values(), UnknownAnnotation)]
    ContentPart = Union[(*_PARTS.values(), UnknownContentPart)]
    ResponseOutputItem = Union[(*_ITEMS.values(), UnknownOutputItem)]
    ParsedContent = Union[(ParsedResponseOutputText[TextFormatT], *_OTHER_PARTS, UnknownContentPart)]
    ParsedResponseOutputItem = Union[
        (
            ParsedResponseOutputMessage[TextFormatT],
            ParsedResponseFunctionToolCall,
            *_OTHER_ITEMS,
            UnknownOutputItem,
        )
    ]
