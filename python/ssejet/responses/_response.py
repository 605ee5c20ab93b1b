"""The response of the Responses API, under OpenAI's names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic

import msgspec
from msgspec import field

from ssejet._answers.base import build, is_too_deep
from ssejet._json import loads
from ssejet.responses._base import Part, TextFormatT
from ssejet.responses._items import (
    ItemInJSON,
    ParsedResponseOutputText,
    ResponseOutputMessage,
    ResponseOutputText,
)

if TYPE_CHECKING:
    from typing_extensions import Self

    from ssejet.responses._items import ParsedResponseOutputItem
else:
    from ssejet.responses._items import ParsedItemInJSON

__all__ = [
    "IncompleteDetails",
    "InputTokensDetails",
    "OutputTokensDetails",
    "ParsedResponse",
    "Response",
    "ResponseError",
    "ResponseUsage",
]


class InputTokensDetails(Part, frozen=True):
    """What the input's tokens were."""

    cache_write_tokens: int | None = None
    cached_tokens: int | None = None
    cache_write_tokens_details: dict[str, Any] | None = None


class OutputTokensDetails(Part, frozen=True):
    """What the output's tokens were spent on."""

    reasoning_tokens: int | None = None


class ResponseUsage(Part, frozen=True):
    """Tokens counted by the server."""

    input_tokens: int = 0
    output_tokens: int = 0
    total_tokens: int = 0
    input_tokens_details: InputTokensDetails | None = None
    output_tokens_details: OutputTokensDetails | None = None


class ResponseError(Part, frozen=True):
    """Why a response failed."""

    code: str | None = None
    message: str = ""
    param: str | None = None
    type: str | None = None
    misalignment: Any = None


class IncompleteDetails(Part, frozen=True):
    """Why a response is incomplete, such as ``"max_output_tokens"`` or ``"content_filter"``."""

    reason: str | None = None


class Response(Part, frozen=True):
    """A response of the model.

    ``created_at`` and ``completed_at`` are in Unix seconds. ``status`` is ``"completed"``, ``"failed"``,
    ``"in_progress"``, ``"cancelled"``, ``"queued"`` or ``"incomplete"``.
    """

    id: str = ""
    created_at: float = 0.0
    error: ResponseError | None = None
    incomplete_details: IncompleteDetails | None = None
    instructions: Any = None
    metadata: dict[str, Any] | None = None
    model: str = ""
    object: str = "response"
    output: list[ItemInJSON] = field(default_factory=list)
    parallel_tool_calls: bool | None = None
    temperature: float | None = None
    tool_choice: Any = None
    tools: list[Any] | None = None
    top_p: float | None = None
    access_programs: Any = None
    background: bool | None = None
    completed_at: float | None = None
    conversation: Any = None
    image: Any = None
    input_transformations: list[Any] | None = None
    max_output_tokens: int | None = None
    max_tool_calls: int | None = None
    moderation: Any = None
    previous_response_id: str | None = None
    prompt: Any = None
    prompt_cache_diagnostics: Any = None
    prompt_cache_key: str | None = None
    prompt_cache_options: Any = None
    prompt_cache_retention: str | None = None
    reasoning: Any = None
    safety_identifier: str | None = None
    service_tier: str | None = None
    status: str | None = None
    text: Any = None
    tool_usage: Any = None
    top_logprobs: int | None = None
    truncation: str | None = None
    usage: ResponseUsage | None = None
    user: str | None = None

    @classmethod
    def from_json(cls, text: str | bytes) -> Self:
        """Read JSON text; what is null, missing or of a wrong type becomes the field's default.

        Raises:
            json.JSONDecodeError: the text is not JSON.
            msgspec.ValidationError: it is not an object, or is nested too deep.
        """
        data = loads(text)
        if is_too_deep(data):
            raise msgspec.ValidationError("nested too deep to be kept")
        return build(cls, data)

    @property
    def output_text(self) -> str:
        """All text of the answer, joined; ``""`` if there is none."""
        return "".join(
            part.text
            for item in self.output
            if isinstance(item, ResponseOutputMessage)
            for part in item.content
            if isinstance(part, ResponseOutputText)
        )

    def to_input(self) -> list[dict[str, Any]]:
        """The output as items for the ``input`` of the next request, with all that the server sent."""
        return [item.to_param() for item in self.output]


class ParsedResponse(Response, Generic[TextFormatT], frozen=True, gc=True):
    """A response of the model whose texts and arguments are parsed too."""

    if TYPE_CHECKING:
        output: list[ParsedResponseOutputItem[TextFormatT]] = field(default_factory=list)  # type: ignore[assignment]
    else:
        output: list[ParsedItemInJSON] = field(default_factory=list)

    @property
    def output_parsed(self) -> TextFormatT | None:
        """The first text of the answer as an instance of the ``text_format``; None without one."""
        for item in self.output:
            for part in item.content or () if isinstance(item, ResponseOutputMessage) else ():
                if isinstance(part, ParsedResponseOutputText) and part.parsed is not None:
                    parsed: TextFormatT = part.parsed
                    return parsed
        return None
