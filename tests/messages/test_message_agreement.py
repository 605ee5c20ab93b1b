"""Our stream and anthropic's, on the same bytes: the same events, snapshots and messages.

In these places ours does what anthropic's does not:

* A ``message_delta`` whose ``stop_reason`` is null does not remove an earlier one.
* A block is found by its index, also if blocks begin in another order or an index comes twice.
* What a delta of another type of block holds is kept, as the block's ``extra``.
* Where anthropic's stream raises an ``IndexError`` or ``AttributeError``, ours goes on.
"""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from message_agreement import assert_agreement, ours, theirs
from message_events import (
    BLOCK_LOCATION,
    CHAR_LOCATION,
    CODE_RESULT,
    COMPACTED,
    CONTAINER,
    EDITOR_RESULT,
    FALLBACK,
    FETCHED,
    MCP_RESULT,
    OLD_CODE_RESULT,
    PAGE_LOCATION,
    PING,
    SEARCH_LOCATION,
    STOP,
    TOOLS_FOUND,
    WEB_ERROR,
    WEB_LOCATION,
    WEB_RESULTS,
    begin,
    body,
    end,
    message,
    start,
    stop,
    text_block,
    thinking_block,
    tool_block,
    whole_block,
)
from message_strategies import documented_streams, interleaved_streams
from pydantic import BaseModel

from ssejet.messages import MessageStream

LOCATIONS = (CHAR_LOCATION, PAGE_LOCATION, BLOCK_LOCATION, WEB_LOCATION, SEARCH_LOCATION)
REFUSAL = {"type": "refusal", "category": "bio", "explanation": "No."}
CACHED = {
    "input_tokens": 3,
    "output_tokens": 1,
    "cache_creation_input_tokens": 10,
    "cache_read_input_tokens": 20,
    "cache_creation": {"ephemeral_5m_input_tokens": 10, "ephemeral_1h_input_tokens": 0},
    "service_tier": "standard",
    "inference_geo": "us",
    "speed": "fast",
}

STREAMS: dict[str, list[dict[str, Any]]] = {
    "text": message(text_block(0, "Hel", "lo")),
    "no content": message(),
    "an empty text": message(text_block(0)),
    "text that begins at once": message([begin(0, {"type": "text", "text": "He"}), stop(0)]),
    "citations of all kinds": message(text_block(0, "a", "b", citations=LOCATIONS)),
    "thinking": message(thinking_block(0, "Let", " me", signature="c2ln"), text_block(1, "a")),
    "thinking without a signature": message(thinking_block(0, "Let", signature=None)),
    "redacted thinking": message(
        whole_block(0, {"type": "redacted_thinking", "data": "Emw="}), text_block(1, "a")
    ),
    "a tool": message(text_block(0, "a"), tool_block(1, "", '{"city":', ' "Par', 'is"}'), reason="tool_use"),
    "two tools": message(tool_block(0, '{"a": 1}'), tool_block(1, "{", "}"), reason="tool_use"),
    "a tool without input": message(tool_block(0), reason="tool_use"),
    "a tool with an empty input": message(tool_block(0, ""), reason="tool_use"),
    "a tool with its input at once": message(tool_block(0, input={"a": [1, {"b": None}]}), reason="tool_use"),
    "a tool with a caller": message(tool_block(0, "{}", caller={"type": "direct"}), reason="tool_use"),
    "a tool whose input is cut": message(tool_block(0, '{"a": [1, 2', ', {"b": "c'), reason="max_tokens"),
    "a server's tool": message(
        tool_block(0, '{"query": "a"}', kind="server_tool_use", name="web_search"),
        whole_block(1, WEB_RESULTS),
        text_block(2, "a", citations=(WEB_LOCATION,)),
    ),
    "an error of a server's tool": message(whole_block(0, WEB_ERROR)),
    "a fetched page": message(whole_block(0, FETCHED)),
    "executed code": message(whole_block(0, CODE_RESULT), whole_block(1, OLD_CODE_RESULT)),
    "an edited file": message(whole_block(0, EDITOR_RESULT)),
    "tools that were found": message(whole_block(0, TOOLS_FOUND)),
    "an uploaded file": message(whole_block(0, {"type": "container_upload", "file_id": "file_1"})),
    "pings": [start(), PING, *text_block(0, "a"), PING, end(), STOP],
    "usage of the cache": message(text_block(0, "a"), usage=CACHED),
    "usage at the end": [
        start(usage={"input_tokens": 0, "output_tokens": 0}),
        *text_block(0, "a"),
        end(usage={"input_tokens": 9, "output_tokens": 4, "cache_read_input_tokens": 2}),
        STOP,
    ],
    "usage with details": [
        start(),
        end(
            usage={
                "output_tokens": 4,
                "input_tokens": None,
                "server_tool_use": {"web_search_requests": 2, "web_fetch_requests": 0},
                "output_tokens_details": {"thinking_tokens": 3},
            }
        ),
        STOP,
    ],
    "a stop sequence": [start(), *text_block(0, "a"), end("stop_sequence", stop_sequence="END"), STOP],
    "a refusal": [start(), end("refusal", stop_details=REFUSAL), STOP],
    "a container": [start(), end(container=CONTAINER), STOP],
    "a container from the beginning": [start(container=CONTAINER), end(), STOP],
    "fields that are new": message(
        [begin(0, {"type": "text", "text": "", "new": {"a": 1}}), stop(0)], new=[1]
    ),
    "two ends": [start(), *text_block(0, "a"), end(None), end("end_turn"), STOP],
}
BETA_STREAMS: dict[str, list[dict[str, Any]]] = {
    "an MCP server's tool": message(
        tool_block(0, '{"a": 1}', kind="mcp_tool_use", server_name="echo"), whole_block(1, MCP_RESULT)
    ),
    "tools of an MCP server": message(
        whole_block(0, {"type": "mcp_tool_listing", "mcp_server_name": "echo", "tools": []})
    ),
    "a compaction": message(COMPACTED, text_block(1, "a")),
    "a fallback": message(text_block(0, "a"), whole_block(1, FALLBACK), text_block(2, "b")),
    "context management": [
        start(),
        end(
            context_management={
                "applied_edits": [
                    {"type": "clear_tool_uses_20250919", "cleared_tool_uses": 1, "cleared_input_tokens": 2}
                ]
            }
        ),
        STOP,
    ],
    "usage of iterations": [
        start(),
        end(
            usage={
                "output_tokens": 4,
                "iterations": [{"type": "message", "input_tokens": 1, "output_tokens": 2}],
            }
        ),
        STOP,
    ],
}
# anthropic takes a hundred times as long as most of what is tested with Hypothesis.
fewer = settings(max_examples=settings().max_examples // 4)


@pytest.mark.parametrize("name", STREAMS)
def test_documented_streams_give_what_anthropic_gives(name: str) -> None:
    assert theirs(body(STREAMS[name])).error is None
    assert_agreement(STREAMS[name])


@pytest.mark.parametrize("name", [*STREAMS, *BETA_STREAMS])
def test_documented_streams_with_beta_features_give_what_anthropic_gives(name: str) -> None:
    stream = {**STREAMS, **BETA_STREAMS}[name]
    assert theirs(body(stream), beta=True).error is None
    # Its text events are generic, and have one more field.
    assert_agreement(stream, beta=True, events_too=False)


@fewer
@given(documented_streams())
def test_streams_in_the_documented_order_give_what_anthropic_gives(events: list[dict[str, Any]]) -> None:
    assert_agreement(events)


@fewer
@given(interleaved_streams())
def test_streams_whose_blocks_are_interleaved(events: list[dict[str, Any]]) -> None:
    assert_agreement(events)


class Answer(BaseModel):
    city: str
    degrees: int = 0


def test_output_is_parsed_as_anthropic_parses_it() -> None:
    content = body(message(text_block(0, '{"city": ', '"Paris"}')))
    expected = theirs(content, output_format=Answer)
    assert expected.error is None
    assert ours(content, output_format=Answer).message["content"][0].pop("parsed_output") == {
        "city": "Paris",
        "degrees": 0,
    }
    stream = MessageStream(message(text_block(0, '{"city": ', '"Paris"}')), output_format=Answer)
    assert stream.get_final_message().parsed_output == Answer(city="Paris")


def test_the_value_of_a_text_so_far() -> None:
    texts = ['{"city": "Par', 'is", "degrees": 2', "1}"]
    stream = MessageStream(message(text_block(0, *texts)))
    snapshots = [event.parsed_snapshot() for event in stream if event.type == "text"]
    assert snapshots == [{"city": "Par"}, {"city": "Paris", "degrees": 2}, {"city": "Paris", "degrees": 21}]
