"""Chat completions: typed chunks and events, and the whole completion, with openai-python's names."""

# The way of a chunk:
#
# 1. `typed` decodes the text of an event into a `ChatCompletionChunk` (`_models`, `_base`).
# 2. If the text has a form that OpenAI does not document, `_lenient` brings the whole chunk into the
#    documented form. `_extra` keeps the fields that are not OpenAI's.
# 3. `_completion_stream`, the sync and the async driver, gives the chunk to `ChatCompletionStreamState`.
# 4. `_state` takes what belongs to the whole completion, and gives each choice to its `ChoiceState`.
# 5. `_choices` gives each field of the delta to what gathers it: `_content` (content, refusal and their log
#    probabilities), `_reasoning`, or `_tool_calls`, which finds the call of each fragment.
# 6. Each of these appends the fragment to a `Text`, and an event to the chunk's list (`_events`).
# 7. An event refers to the text and its length, so its snapshot is joined, and its JSON parsed (`_text`,
#    `_formats`), when they are read.
# 8. The driver calls the callbacks (`_callbacks`) and gives out the events. At the end, the state puts the
#    completion together from its choices.
#
# `_tools`, `_response_format` and `_typed_json` make what a request sends for the users' types.

from __future__ import annotations

from ssejet.chat._completion_stream import AsyncChatCompletionStream, ChatCompletionStream
from ssejet.chat._events import (
    ChatCompletionStreamEvent,
    ChunkEvent,
    ContentDeltaEvent,
    ContentDoneEvent,
    FunctionToolCallArgumentsDeltaEvent,
    FunctionToolCallArgumentsDoneEvent,
    LogprobsContentDeltaEvent,
    LogprobsContentDoneEvent,
    LogprobsRefusalDeltaEvent,
    LogprobsRefusalDoneEvent,
    ReasoningDeltaEvent,
    ReasoningDoneEvent,
    RefusalDeltaEvent,
    RefusalDoneEvent,
    ToolCallDeltaEvent,
    ToolCallDoneEvent,
)
from ssejet.chat._metrics import ChatMetrics, CompletionMetrics
from ssejet.chat._models import (
    Annotation,
    AnnotationURLCitation,
    ChatCompletion,
    ChatCompletionAudio,
    ChatCompletionChoice,
    ChatCompletionChunk,
    ChatCompletionMessage,
    ChatCompletionMessageToolCall,
    ChatCompletionTokenLogprob,
    Choice,
    ChoiceDelta,
    ChoiceDeltaAudio,
    ChoiceDeltaFunctionCall,
    ChoiceDeltaToolCall,
    ChoiceDeltaToolCallCustom,
    ChoiceDeltaToolCallFunction,
    ChoiceLogprobs,
    Completion,
    CompletionChoice,
    CompletionLogprobs,
    CompletionTokensDetails,
    CompletionUsage,
    Custom,
    Function,
    FunctionCall,
    ParsedChatCompletion,
    ParsedChatCompletionMessage,
    ParsedChoice,
    ParsedFunction,
    ParsedFunctionToolCall,
    PromptTokensDetails,
    TopLogprob,
)
from ssejet.chat._response_format import response_format_param
from ssejet.chat._state import ChatCompletionStreamState
from ssejet.chat._tools import function_tool, tool_param

__all__ = [
    "Annotation",
    "AnnotationURLCitation",
    "AsyncChatCompletionStream",
    "ChatCompletion",
    "ChatCompletionAudio",
    "ChatCompletionChoice",
    "ChatCompletionChunk",
    "ChatCompletionMessage",
    "ChatCompletionMessageToolCall",
    "ChatCompletionStream",
    "ChatCompletionStreamEvent",
    "ChatCompletionStreamState",
    "ChatCompletionTokenLogprob",
    "ChatMetrics",
    "Choice",
    "ChoiceDelta",
    "ChoiceDeltaAudio",
    "ChoiceDeltaFunctionCall",
    "ChoiceDeltaToolCall",
    "ChoiceDeltaToolCallCustom",
    "ChoiceDeltaToolCallFunction",
    "ChoiceLogprobs",
    "ChunkEvent",
    "Completion",
    "CompletionChoice",
    "CompletionLogprobs",
    "CompletionMetrics",
    "CompletionTokensDetails",
    "CompletionUsage",
    "ContentDeltaEvent",
    "ContentDoneEvent",
    "Custom",
    "Function",
    "FunctionCall",
    "FunctionToolCallArgumentsDeltaEvent",
    "FunctionToolCallArgumentsDoneEvent",
    "LogprobsContentDeltaEvent",
    "LogprobsContentDoneEvent",
    "LogprobsRefusalDeltaEvent",
    "LogprobsRefusalDoneEvent",
    "ParsedChatCompletion",
    "ParsedChatCompletionMessage",
    "ParsedChoice",
    "ParsedFunction",
    "ParsedFunctionToolCall",
    "PromptTokensDetails",
    "ReasoningDeltaEvent",
    "ReasoningDoneEvent",
    "RefusalDeltaEvent",
    "RefusalDoneEvent",
    "ToolCallDeltaEvent",
    "ToolCallDoneEvent",
    "TopLogprob",
    "function_tool",
    "response_format_param",
    "tool_param",
]
