"""Anthropic's Messages: typed events, and the message that they make up, under Anthropic's names.

The way of an event:

1. ``typed`` decodes the text of an event into a ``Raw…Event`` (``_raw_events``, ``_models``).
2. If the text has a form that Anthropic does not document, ``_lenient`` brings it into the documented form.
   What has an unknown type becomes an ``Unknown…`` object.
3. ``_message_stream``, the sync and the async driver, gives the event to ``MessageStreamState``.
4. ``_state`` takes what belongs to the whole message, and gives each delta to its ``BlockState``.
5. ``_blocks`` appends the delta to a ``Text``, and an event to the list (``_events``).
6. An event refers to the text and its length, so its snapshot is joined, and its JSON parsed, when they are
   read.
7. The driver calls the callbacks and gives out the events. At the end, the state puts the message together
   from its blocks.

``_output_format`` and ``_tools`` make what a request sends for the users' types. ``_conversion`` converts
conversations from and to those of chat completions.
"""

from __future__ import annotations

from ssejet.messages._conversion import (
    ChatRequest,
    MessagesRequest,
    finish_reason_of,
    from_chat,
    stop_reason_of,
    to_chat,
)
from ssejet.messages._events import (
    CitationEvent,
    CompactionEvent,
    ContentBlockStopEvent,
    InputJsonEvent,
    MessageStopEvent,
    MessageStreamEvent,
    SignatureEvent,
    TextEvent,
    ThinkingEvent,
)
from ssejet.messages._message_stream import AsyncMessageStream, MessageStream
from ssejet.messages._metrics import MessageMetrics
from ssejet.messages._models import (
    AdvisorToolResultBlock,
    BashCodeExecutionToolResultBlock,
    CacheCreation,
    CitationCharLocation,
    CitationContentBlockLocation,
    CitationPageLocation,
    CitationsDelta,
    CitationsSearchResultLocation,
    CitationsWebSearchResultLocation,
    CodeExecutionToolResultBlock,
    CompactionBlock,
    CompactionDelta,
    Container,
    ContainerUploadBlock,
    ContentBlock,
    ContentBlockDelta,
    FallbackBlock,
    InputJSONDelta,
    MCPToolListingBlock,
    MCPToolResultBlock,
    MCPToolUseBlock,
    Message,
    MessageDelta,
    MessageDeltaUsage,
    OutputTokensDetails,
    ParsedContentBlock,
    ParsedMessage,
    ParsedTextBlock,
    RedactedThinkingBlock,
    RefusalStopDetails,
    ServerToolUsage,
    ServerToolUseBlock,
    SignatureDelta,
    TextBlock,
    TextCitation,
    TextDelta,
    TextEditorCodeExecutionToolResultBlock,
    ThinkingBlock,
    ThinkingDelta,
    ToolSearchToolResultBlock,
    ToolUseBlock,
    UnknownBlock,
    UnknownCitation,
    UnknownDelta,
    Usage,
    WebFetchToolResultBlock,
    WebSearchToolResultBlock,
)
from ssejet.messages._output_format import output_config_param
from ssejet.messages._raw_events import (
    PingEvent,
    RawContentBlockDeltaEvent,
    RawContentBlockStartEvent,
    RawContentBlockStopEvent,
    RawMessageDeltaEvent,
    RawMessageStartEvent,
    RawMessageStopEvent,
    RawMessageStreamEvent,
    UnknownEvent,
)
from ssejet.messages._state import MessageStreamState
from ssejet.messages._tools import message_tool, message_tool_param

__all__ = [
    "AdvisorToolResultBlock",
    "AsyncMessageStream",
    "BashCodeExecutionToolResultBlock",
    "CacheCreation",
    "ChatRequest",
    "CitationCharLocation",
    "CitationContentBlockLocation",
    "CitationEvent",
    "CitationPageLocation",
    "CitationsDelta",
    "CitationsSearchResultLocation",
    "CitationsWebSearchResultLocation",
    "CodeExecutionToolResultBlock",
    "CompactionBlock",
    "CompactionDelta",
    "CompactionEvent",
    "Container",
    "ContainerUploadBlock",
    "ContentBlock",
    "ContentBlockDelta",
    "ContentBlockStopEvent",
    "FallbackBlock",
    "InputJSONDelta",
    "InputJsonEvent",
    "MCPToolListingBlock",
    "MCPToolResultBlock",
    "MCPToolUseBlock",
    "Message",
    "MessageDelta",
    "MessageDeltaUsage",
    "MessageMetrics",
    "MessageStopEvent",
    "MessageStream",
    "MessageStreamEvent",
    "MessageStreamState",
    "MessagesRequest",
    "OutputTokensDetails",
    "ParsedContentBlock",
    "ParsedMessage",
    "ParsedTextBlock",
    "PingEvent",
    "RawContentBlockDeltaEvent",
    "RawContentBlockStartEvent",
    "RawContentBlockStopEvent",
    "RawMessageDeltaEvent",
    "RawMessageStartEvent",
    "RawMessageStopEvent",
    "RawMessageStreamEvent",
    "RedactedThinkingBlock",
    "RefusalStopDetails",
    "ServerToolUsage",
    "ServerToolUseBlock",
    "SignatureDelta",
    "SignatureEvent",
    "TextBlock",
    "TextCitation",
    "TextDelta",
    "TextEditorCodeExecutionToolResultBlock",
    "TextEvent",
    "ThinkingBlock",
    "ThinkingDelta",
    "ThinkingEvent",
    "ToolSearchToolResultBlock",
    "ToolUseBlock",
    "UnknownBlock",
    "UnknownCitation",
    "UnknownDelta",
    "UnknownEvent",
    "Usage",
    "WebFetchToolResultBlock",
    "WebSearchToolResultBlock",
    "finish_reason_of",
    "from_chat",
    "message_tool",
    "message_tool_param",
    "output_config_param",
    "stop_reason_of",
    "to_chat",
]
