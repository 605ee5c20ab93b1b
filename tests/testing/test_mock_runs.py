"""Runs of assistants: their streams, as the real event handlers read them, and what the mock keeps."""

from __future__ import annotations

import json
from random import Random
from typing import TYPE_CHECKING, Any

import openai
import pytest
from openai import AssistantEventHandler, AsyncAssistantEventHandler

from ssejet import Decoder
from ssejet.testing import MockError, StreamedAnswer
from testing.openai_clients import CLIENTS, assert_complete, close, collect, wait

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from ssejet.testing import OpenAIMock

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::DeprecationWarning")]

CALLS = {
    "required_action": {
        "submit_tool_outputs": {
            "tool_calls": [
                {"id": "call_1", "function": {"name": "weather", "arguments": {"city": "New York"}}},
                {"id": "call_2", "function": {"name": "clock"}},
            ]
        }
    }
}
BEGINNING = ["thread.run.created", "thread.run.queued", "thread.run.in_progress"]
MESSAGE = [
    "thread.run.step.created",
    "thread.run.step.in_progress",
    "thread.message.created",
    "thread.message.in_progress",
    "thread.message.delta",
    "thread.message.delta",
]


@pytest.fixture(params=CLIENTS)
async def client(request: pytest.FixtureRequest) -> AsyncIterator[Any]:
    client = CLIENTS[request.param]()
    yield client
    await close(client)


async def thread_and_assistant(client: Any) -> dict[str, str]:
    thread = await wait(client.beta.threads.create(messages=[{"role": "user", "content": "How are you?"}]))
    assistant = await wait(client.beta.assistants.create(model="gpt-4o", instructions="Be kind."))
    return {"thread_id": thread.id, "assistant_id": assistant.id}


async def run_events(client: Any, **options: Any) -> list[Any]:
    ids = await thread_and_assistant(client)
    return await collect(client.beta.threads.runs.create(**ids, stream=True, **options))


async def test_a_text_is_streamed_as_a_message(client: Any, mock_openai: OpenAIMock) -> None:
    mock_openai.beta.threads.runs.create.response = "Hello there"
    events = await run_events(client)
    names = [event.event for event in events]
    end = ["thread.message.completed", "thread.run.step.completed", "thread.run.completed"]
    assert names == [*BEGINNING, *MESSAGE, *end]
    for event in events:
        assert_complete(event.data)
    run, thread_id = events[-1].data, events[-1].data.thread_id
    assert run.usage.total_tokens == run.usage.prompt_tokens + run.usage.completion_tokens
    assert (run.usage.prompt_tokens, run.usage.completion_tokens) == (5, 2)
    messages = await collect(client.beta.threads.messages.list(thread_id))
    assert [(each.role, each.content[0].text.value) for each in messages] == [
        ("assistant", "Hello there"),
        ("user", "How are you?"),
    ]
    (step,) = await collect(client.beta.threads.runs.steps.list(run.id, thread_id=thread_id))
    assert step.step_details.message_creation.message_id == messages[0].id
    assert (await wait(client.beta.threads.runs.retrieve(run.id, thread_id=thread_id))) == run


def test_a_stream_ends_with_the_events_that_openai_sends(mock_openai: OpenAIMock) -> None:
    client = CLIENTS["sync"]()
    assistant = client.beta.assistants.create(model="m")
    mock_openai.beta.threads.create_and_run.response = "Hello"
    with client.beta.threads.with_streaming_response.create_and_run(
        assistant_id=assistant.id, thread={"messages": [{"role": "user", "content": "Hi"}]}, stream=True
    ) as response:
        body = b"".join(response.iter_bytes())
    events = Decoder().feed(body)
    assert [event.event for event in events[:2]] == ["thread.created", "thread.run.created"]
    assert [event.event for event in events[-2:]] == ["thread.run.completed", "done"]
    assert events[-1].data == "[DONE]"
    assert body.endswith(b"event: done\ndata: [DONE]\n\n")
    assert json.loads(events[1].data)["thread_id"] == json.loads(events[0].data)["id"]


async def test_event_handlers_of_openai_read_a_run_with_tools(client: Any, mock_openai: OpenAIMock) -> None:
    routes = mock_openai.beta.threads.runs
    routes.create.response = CALLS
    routes.submit_tool_outputs.response = "It is sunny"
    seen: list[Any] = []

    class Handler(AssistantEventHandler):
        def on_tool_call_done(self, tool_call: Any) -> None:
            seen.append((tool_call.function.name, tool_call.function.arguments))

        def on_text_done(self, text: Any) -> None:
            seen.append(text.value)

        def on_end(self) -> None:
            seen.append("end")

    class AsyncHandler(AsyncAssistantEventHandler):
        async def on_tool_call_done(self, tool_call: Any) -> None:
            seen.append((tool_call.function.name, tool_call.function.arguments))

        async def on_text_done(self, text: Any) -> None:
            seen.append(text.value)

        async def on_end(self) -> None:
            seen.append("end")

    is_async = isinstance(client, openai.AsyncOpenAI)

    async def follow(stream: Any) -> Any:
        if is_async:
            async with stream as handler:
                await handler.until_done()
                return handler.current_run
        with stream as handler:
            handler.until_done()
            return handler.current_run

    ids = await thread_and_assistant(client)
    runs = client.beta.threads.runs
    handler: Any = AsyncHandler if is_async else Handler
    run = await follow(runs.stream(**ids, event_handler=handler()))
    assert run.status == "requires_action"
    calls = run.required_action.submit_tool_outputs.tool_calls
    outputs = [{"tool_call_id": call.id, "output": f"{call.function.name}!"} for call in calls]
    place = {"run_id": run.id, "thread_id": run.thread_id}
    run = await follow(
        runs.submit_tool_outputs_stream(**place, tool_outputs=outputs, event_handler=handler())
    )
    assert run.status == "completed"
    assert seen == [("weather", '{"city": "New York"}'), ("clock", ""), "end", "It is sunny", "end"]
    steps = await collect(runs.steps.list(run.id, thread_id=run.thread_id, order="asc"))
    assert [step.status for step in steps] == ["completed", "completed"]
    assert [call.function.output for call in steps[0].step_details.tool_calls] == ["weather!", "clock!"]


async def test_steps_with_code_are_streamed(client: Any, mock_openai: OpenAIMock) -> None:
    code = {"code_interpreter": {"input": "print(1 + 1)", "outputs": [{"type": "logs", "logs": "2"}]}}
    mock_openai.beta.threads.runs.create.response = {"steps": [{"tool_calls": [code]}], "messages": ["2"]}
    events = await run_events(client)
    for event in events:
        assert_complete(event.data)
    deltas = [event.data for event in events if event.event == "thread.run.step.delta"]
    parts = [each.delta.step_details.tool_calls[0].code_interpreter for each in deltas]
    assert "".join(part.input or "" for part in parts) == "print(1 + 1)"
    assert parts[-1].outputs[0].logs == "2"
    assert [event.event for event in events].count("thread.run.step.completed") == 2


@pytest.mark.parametrize(
    ("answer", "end"),
    [
        (
            {"messages": ["Hello there"], "last_error": {"code": "server_error", "message": "oh"}},
            ["thread.message.incomplete", "thread.run.step.failed", "thread.run.failed"],
        ),
        (
            {"messages": ["Hello there"], "status": "expired"},
            ["thread.message.incomplete", "thread.run.step.expired", "thread.run.expired"],
        ),
        (
            {"messages": ["Hello there"], "status": "cancelled"},
            [
                "thread.message.incomplete",
                "thread.run.step.cancelled",
                "thread.run.cancelling",
                "thread.run.cancelled",
            ],
        ),
        (
            {"messages": ["Hello there"], "incomplete_details": {"reason": "max_completion_tokens"}},
            ["thread.message.incomplete", "thread.run.step.completed", "thread.run.incomplete"],
        ),
    ],
    ids=["failed", "expired", "cancelled", "incomplete"],
)
async def test_runs_end_in_other_ways(mock_openai: OpenAIMock, answer: Any, end: list[str]) -> None:
    mock_openai.beta.threads.runs.create.response = answer
    client = CLIENTS["async"]()
    events = await run_events(client)
    assert [event.event for event in events] == [*BEGINNING, *MESSAGE, *end]
    for event in events:
        assert_complete(event.data)
    status = end[-1].rpartition(".")[2]
    run = await client.beta.threads.runs.retrieve(events[-1].data.id, thread_id=events[-1].data.thread_id)
    assert run.status == status == events[-1].data.status
    await client.close()


async def test_a_run_without_a_stream_begins_queued_and_can_be_polled(
    client: Any, mock_openai: OpenAIMock
) -> None:
    mock_openai.beta.threads.runs.create.response = CALLS
    mock_openai.beta.threads.runs.submit_tool_outputs.response = "Done"
    ids = await thread_and_assistant(client)
    runs = client.beta.threads.runs
    begun = await wait(runs.create(**ids))
    assert (begun.status, begun.required_action) == ("queued", None)
    place = {"run_id": begun.id, "thread_id": ids["thread_id"]}
    run = await wait(runs.poll(**place))
    assert run.status == "requires_action"
    outputs = [{"tool_call_id": id, "output": "1"} for id in ("call_1", "call_2")]
    run = await wait(runs.submit_tool_outputs_and_poll(**place, tool_outputs=outputs))
    assert run.status == "completed"
    assert run.started_at
    assert run.completed_at


async def test_a_status_of_the_test_is_the_answers_too(client: Any, mock_openai: OpenAIMock) -> None:
    mock_openai.beta.threads.runs.create.response = {"status": "in_progress", "model": "gpt-5"}
    ids = await thread_and_assistant(client)
    run = await wait(client.beta.threads.runs.create(**ids))
    assert (run.status, run.model) == ("in_progress", "gpt-5")


async def test_a_cancelled_run_is_cancelling_first(client: Any, mock_openai: OpenAIMock) -> None:
    ids = await thread_and_assistant(client)
    runs = client.beta.threads.runs
    run = await wait(runs.create(**ids))
    place = {"run_id": run.id, "thread_id": run.thread_id}
    assert (await wait(runs.cancel(**place))).status == "cancelling"
    assert (await wait(runs.retrieve(**place))).status == "cancelled"
    with pytest.raises(openai.BadRequestError, match="Cannot cancel run with status 'cancelled'"):
        await wait(runs.cancel(**place))
    with pytest.raises(openai.BadRequestError, match="do not accept tool outputs"):
        await wait(runs.submit_tool_outputs(**place, tool_outputs=[]))


async def test_outputs_for_other_calls_are_refused(client: Any, mock_openai: OpenAIMock) -> None:
    mock_openai.beta.threads.runs.create.response = CALLS
    run = await wait(client.beta.threads.runs.create(**await thread_and_assistant(client)))
    place = {"run_id": run.id, "thread_id": run.thread_id}
    message = r"Expected tool outputs for call_ids \['call_1', 'call_2'\], got \['call_1'\]"
    outputs = [{"tool_call_id": "call_1", "output": "1"}]
    with pytest.raises(openai.BadRequestError, match=message):
        await wait(client.beta.threads.runs.submit_tool_outputs(**place, tool_outputs=outputs))


@pytest.mark.parametrize("cut", [1, 7, Random(3)], ids=["bytes", "7 bytes", "random"])
async def test_a_stream_may_be_cut_anywhere(client: Any, mock_openai: OpenAIMock, cut: Any) -> None:
    answer = {"messages": ["Grüße, 世界"]} | {"steps": [{"tool_calls": [{"function": {"name": "f"}}]}]}
    mock_openai.beta.threads.runs.create.response = StreamedAnswer(answer, cut=cut, ping_every=2)
    events = await run_events(client)
    assert events[-1].event == "thread.run.completed"
    text = "".join(
        event.data.delta.content[0].text.value for event in events if event.event == "thread.message.delta"
    )
    assert text == "Grüße, 世界"


async def test_errors_and_broken_connections_come_in_the_stream(mock_openai: OpenAIMock) -> None:
    client = CLIENTS["async"]()
    route = mock_openai.beta.threads.runs.create
    route.response = StreamedAnswer("Hello", error="The server had an error", after=3)
    with pytest.raises(openai.APIError, match="The server had an error"):
        await run_events(client)
    route.response = StreamedAnswer("Hello", fail_after=3)
    with pytest.raises(openai.APIConnectionError):
        await run_events(client)
    route.response = MockError("Slow down", status=429)
    with pytest.raises(openai.RateLimitError, match="Slow down"):
        await run_events(client)
    await client.close()


def test_parts_of_messages_of_all_kinds_are_streamed(mock_openai: OpenAIMock) -> None:
    client = CLIENTS["sync"]()
    annotation = {
        "type": "file_citation",
        "text": "[1]",
        "start_index": 0,
        "end_index": 3,
        "file_citation": {"file_id": "file-1"},
    }
    content = [
        {"type": "text", "text": {"value": "See [1]", "annotations": [annotation]}},
        {"type": "image_file", "image_file": {"file_id": "file-2"}},
        {"type": "refusal", "refusal": "No."},
    ]
    mock_openai.beta.threads.create_and_run.response = {"messages": [{"content": content}]}
    assistant = client.beta.assistants.create(model="m")
    with client.beta.threads.create_and_run_stream(assistant_id=assistant.id) as stream:
        (message,) = stream.get_final_messages()
    assert_complete(message)
    text, image, refusal = message.content
    assert (text.text.value, text.text.annotations[0].file_citation.file_id) == ("See [1]", "file-1")
    assert (image.image_file.file_id, refusal.refusal) == ("file-2", "No.")


def test_a_field_that_a_run_does_not_have_is_an_error(mock_openai: OpenAIMock) -> None:
    client = CLIENTS["sync"]()
    mock_openai.beta.threads.create_and_run.response = {"message": ["Hello"]}
    assistant = client.beta.assistants.create(model="m")
    with pytest.raises((TypeError, openai.APIConnectionError)) as caught:
        client.beta.threads.create_and_run(assistant_id=assistant.id)
    assert "no field 'message'" in f"{caught.value} {caught.value.__cause__}"
