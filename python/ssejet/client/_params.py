"""The parameters of requests, for type checkers and editors. Others are sent too.

The names are OpenAI's. For the parameters of other servers, ``extra_body`` satisfies type checkers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypedDict

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence, Sized

__all__ = [
    "CallOptions",
    "ChatParams",
    "ChatStreamParams",
    "ClientOptions",
    "CompletionParams",
    "MessageParams",
    "ResponseParams",
    "ResponseStreamParams",
    "RetrieveParams",
]


class CallOptions(TypedDict, total=False):
    """The options of one call. They are not sent as parameters of the request.

    Attributes:
        extra_headers: headers to add to the client's; they replace those of the same name.
        extra_query: query parameters to add in the same way.
        extra_body: fields to add to the request's body. Here None is sent, as null.
        idle_timeout, data_timeout, timeout, max_retries, tokenizer, direct: replace the client's; see
            ``Client``.
    """

    extra_headers: Mapping[str, str] | None
    extra_query: Mapping[str, Any] | None
    extra_body: Mapping[str, Any] | None
    idle_timeout: float | None
    data_timeout: float | None
    timeout: float | None
    max_retries: int
    tokenizer: Callable[[str], int | Sized] | None
    direct: bool


class ClientOptions(TypedDict, total=False):
    """The options of a client; see ``Client``."""

    api_key: str | None
    base_url: str | None
    http_client: Any
    default_headers: Mapping[str, str] | None
    default_query: Mapping[str, Any] | None
    connect_timeout: float | None
    idle_timeout: float | None
    data_timeout: float | None
    timeout: float | None
    max_retries: int
    require_done: bool
    tokenizer: Callable[[str], int | Sized] | None


class ChatStreamParams(CallOptions, total=False):
    """The parameters of a chat completion that are not in the methods' signatures."""

    audio: Mapping[str, Any] | None
    frequency_penalty: float | None
    function_call: str | Mapping[str, Any] | None
    functions: Sequence[Mapping[str, Any]] | None
    logit_bias: Mapping[str, int] | None
    logprobs: bool | None
    max_completion_tokens: int | None
    max_tokens: int | None
    metadata: Mapping[str, str] | None
    modalities: Sequence[str] | None
    moderation: Mapping[str, Any] | None
    n: int | None
    parallel_tool_calls: bool | None
    prediction: Mapping[str, Any] | None
    presence_penalty: float | None
    prompt_cache_key: str | None
    prompt_cache_options: Mapping[str, Any] | None
    prompt_cache_retention: str | None
    reasoning_effort: str | None
    safety_identifier: str | None
    seed: int | None
    service_tier: str | None
    stop: str | Sequence[str] | None
    store: bool | None
    stream_options: Mapping[str, Any] | None
    temperature: float | None
    tool_choice: str | Mapping[str, Any] | None
    tools: Sequence[Any] | None
    top_logprobs: int | None
    top_p: float | None
    user: str | None
    verbosity: str | None
    web_search_options: Mapping[str, Any] | None


class ChatParams(ChatStreamParams, total=False):
    """These, and those in the signature of ``stream()``."""

    response_format: type[Any] | Mapping[str, Any] | None


class CompletionParams(CallOptions, total=False):
    """The parameters of the older completions endpoint."""

    best_of: int | None
    echo: bool | None
    frequency_penalty: float | None
    logit_bias: Mapping[str, int] | None
    logprobs: int | None
    max_tokens: int | None
    n: int | None
    presence_penalty: float | None
    seed: int | None
    stop: str | Sequence[str] | None
    stream_options: Mapping[str, Any] | None
    suffix: str | None
    temperature: float | None
    top_p: float | None
    user: str | None


class RetrieveParams(CallOptions, total=False):
    """The parameters of a response that was created before."""

    include: Sequence[str] | None
    include_obfuscation: bool | None


class ResponseStreamParams(CallOptions, total=False):
    """The parameters of the Responses API that are not in the methods' signatures."""

    access_programs: Mapping[str, Any] | None
    background_options: Mapping[str, Any] | None
    image: Mapping[str, Any] | None
    background: bool | None
    context_management: Sequence[Mapping[str, Any]] | None
    conversation: str | Mapping[str, Any] | None
    include: Sequence[str] | None
    input: str | Sequence[Any] | None
    instructions: str | None
    max_output_tokens: int | None
    max_tool_calls: int | None
    metadata: Mapping[str, str] | None
    model: str | None
    moderation: Mapping[str, Any] | None
    parallel_tool_calls: bool | None
    previous_response_id: str | None
    prompt: Mapping[str, Any] | None
    prompt_cache_key: str | None
    prompt_cache_options: Mapping[str, Any] | None
    prompt_cache_retention: str | None
    reasoning: Mapping[str, Any] | None
    safety_identifier: str | None
    service_tier: str | None
    store: bool | None
    stream_options: Mapping[str, Any] | None
    temperature: float | None
    text: Mapping[str, Any] | None
    tool_choice: str | Mapping[str, Any] | None
    tools: Sequence[Any] | None
    top_logprobs: int | None
    top_p: float | None
    truncation: str | None
    user: str | None


class ResponseParams(ResponseStreamParams, total=False):
    """These, and those in the signature of ``stream()``."""

    text_format: type[Any] | Mapping[str, Any] | None


class MessageParams(CallOptions, total=False):
    """The parameters of the Messages API that are not in the methods' signatures.

    Attributes:
        betas: the features that the header ``anthropic-beta`` turns on.
    """

    betas: Sequence[str] | None
    cache_control: Mapping[str, Any] | None
    container: str | Mapping[str, Any] | None
    context_management: Mapping[str, Any] | None
    diagnostics: Mapping[str, Any] | None
    inference_geo: str | None
    mcp_servers: Sequence[Mapping[str, Any]] | None
    metadata: Mapping[str, Any] | None
    output_config: Mapping[str, Any] | None
    service_tier: str | None
    speed: str | None
    stop_sequences: Sequence[str] | None
    system: str | Sequence[Mapping[str, Any]] | None
    temperature: float | None
    thinking: Mapping[str, Any] | None
    tool_choice: Mapping[str, Any] | None
    tools: Sequence[Any] | None
    top_k: int | None
    top_p: float | None
