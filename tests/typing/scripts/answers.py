"""What chat completions hold: usage, log probabilities, tool calls, and what goes back."""

from typing import Any

from typing_extensions import assert_type

from ssejet import (
    APIConnectionError,
    APIError,
    APIStatusError,
    APITimeoutError,
    Client,
    ContentTypeError,
    InvalidJSONError,
    SSEError,
    TokenMetrics,
)
from ssejet.chat import (
    ChatCompletionMessageToolCall,
    ChatCompletionTokenLogprob,
    CompletionUsage,
    TopLogprob,
)

Messages = list[dict[str, Any]]


def usage(client: Client, messages: Messages) -> int:
    stream = client.chat.completions.create(
        model="m", messages=messages, stream=True, stream_options={"include_usage": True}
    )
    total = 0
    for chunk in stream:
        assert_type(chunk.usage, CompletionUsage | None)
        chunk.usage.total_tokens  # error: None|Optional
        if chunk.usage is not None:
            total += chunk.usage.total_tokens
            details = chunk.usage.completion_tokens_details
            if details is not None:
                assert_type(details.reasoning_tokens, int | None)
            chunk.usage.input_tokens  # error: input_tokens
    assert_type(stream.metrics, TokenMetrics)
    assert_type(stream.metrics.time_to_first_token, float | None)
    assert_type(stream.metrics.chunks, int)
    return total


def logprobs(client: Client, messages: Messages) -> None:
    completion = client.chat.completions.create(model="m", messages=messages, logprobs=True, top_logprobs=2)
    found = completion.choices[0].logprobs
    if found is not None:
        assert_type(found.content, list[ChatCompletionTokenLogprob] | None)
        for token in found.content or []:
            assert_type(token.logprob, float)
            assert_type(token.top_logprobs, list[TopLogprob])
            token.probability  # error: probability
    client.chat.completions.create(model="m", messages=messages, logprobs="yes")  # error: logprobs|create


def next_turn(client: Client, messages: Messages) -> Messages:
    message = client.chat.completions.create(model="m", messages=messages).choices[0].message
    assert_type(message.tool_calls, list[ChatCompletionMessageToolCall] | None)
    for call in message.tool_calls or []:
        assert_type(call.id, str)
        if call.function is not None:
            assert_type(call.function.arguments, str)
        call.function.name  # error: None|Optional
    assert_type(message.to_param(), dict[str, Any])
    assert_type(message.extra, dict[str, Any])
    message.to_param(role="user")  # error: role
    return [*messages, message.to_param()]


def failures(client: Client, messages: Messages) -> str:
    try:
        client.chat.completions.create(model="m", messages=messages)
    except APIStatusError as error:
        assert_type(error.status_code, int)
        assert_type(error.response.status_code, int)
        assert_type(error.response.headers.get("retry-after"), str | None)
        error.response.status  # error: status
        return error.request_id or ""
    except APIError as error:
        assert_type(error.message, str)
        assert_type(error.retryable, bool)
        error.request.url  # error: None|Optional
        return "" if error.request is None else error.request.method
    except APITimeoutError as error:
        if error.kind == "idle":
            return "idle"
        if error.kind == "forever":  # error: overlap|no overlap
            return "forever"
    except APIConnectionError as error:
        return error.message
    except InvalidJSONError as error:
        assert_type(error.event.data, str)
        return error.excerpt
    except ContentTypeError as error:
        return error.content_type
    except SSEError as error:
        assert_type(error.retryable, bool)
        error.message  # error: message
    return ""
