"""Tests as users of openai-responses have them, with the changed import, and what those users may rely on."""

from __future__ import annotations

import inspect
import json
from typing import TYPE_CHECKING, Any

import httpx
import httpx2
import openai
import pytest
from openai import AssistantEventHandler, AsyncAssistantEventHandler, DefaultHttpxClient
from openai.types import FileObject, VectorStore
from openai.types.beta import Assistant, Thread
from openai.types.beta.assistant_stream_event import (
    ThreadMessageCreated,
    ThreadRunCompleted,
    ThreadRunCreated,
)
from openai.types.beta.threads import Message, Run
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from pydantic import BaseModel

from ssejet.testing import MockError, mock_anthropic, openai_responses
from ssejet.testing.openai_responses import OpenAIMock
from ssejet.testing.openai_responses.ext.httpx import MockTransport, Request, Response, post
from ssejet.testing.openai_responses.ext.respx import AllMockedAssertionError, Route
from ssejet.testing.openai_responses.helpers.builders import (
    assistants,
    chat,
    embeddings,
    messages,
    moderations,
    run_steps,
    runs,
    threads,
    vector_store_files,
    vector_stores,
)
from ssejet.testing.openai_responses.helpers.mergers.assistants import merge_assistant_with_partial
from ssejet.testing.openai_responses.helpers.mergers.runs import merge_run_with_partial
from ssejet.testing.openai_responses.helpers.mergers.threads import merge_thread_with_partial
from ssejet.testing.openai_responses.stores import StateStore
from ssejet.testing.openai_responses.streaming import AsyncEventStream, EventStream
from testing.openai_clients import assert_complete

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::DeprecationWarning")]

HELLO: Any = {
    "choices": [{"index": 0, "finish_reason": "stop", "message": {"content": "Hello!", "role": "assistant"}}]
}
ASKED: Any = {"model": "gpt-4o", "messages": [{"role": "user", "content": "Hi"}]}


def new_client(**options: Any) -> openai.OpenAI:
    return openai.OpenAI(api_key="sk-fake123", **{"max_retries": 0, **options})


# Decorators, blocks and transports


@openai_responses.mock()
def test_a_decorated_test_gets_the_mock(openai_mock: OpenAIMock) -> None:
    openai_mock.chat.completions.create.response = HELLO
    completion = new_client().chat.completions.create(**ASKED)
    assert completion.choices[0].message.content == "Hello!"
    assert openai_mock.chat.completions.create.route.call_count == 1
    assert openai_mock.chat.completions.create.calls.call_count == 1
    assert openai_mock.chat.completions.create.route.called
    sent = json.loads(openai_mock.chat.completions.create.route.calls.last.request.content)
    assert sent["model"] == "gpt-4o"
    openai_mock.chat.completions.create.route.calls.assert_called_once()
    openai_mock.embeddings.create.route.calls.assert_not_called()


@pytest.mark.asyncio
@openai_responses.mock()
async def test_a_decorated_async_test_gets_the_mock(openai_mock: OpenAIMock) -> None:
    openai_mock.chat.completions.create.response = HELLO
    async with openai.AsyncOpenAI(api_key="k") as client:
        completion = await client.chat.completions.create(**ASKED)
    assert completion.choices[0].message.content == "Hello!"
    assert openai_mock.chat.completions.create.route.call_count == 1


@openai_responses.mock
def test_a_test_needs_no_parameter_for_the_mock() -> None:
    assert new_client().beta.threads.create().id


@openai_responses.mock(base_url="https://example.openai.azure.com")
def test_azure_has_a_base_url(openai_mock: OpenAIMock) -> None:
    openai_mock.chat.completions.create.response = HELLO
    client = openai.AzureOpenAI(
        azure_endpoint="https://example.openai.azure.com", api_key="k", api_version="2024-02-01"
    )
    assert client.chat.completions.create(**ASKED).choices[0].message.content == "Hello!"
    assert client.beta.threads.create().id
    assert openai_mock.chat.completions.create.route.call_count == 1


def test_a_mock_answers_in_the_block_of_its_router() -> None:
    openai_mock = OpenAIMock()
    openai_mock.chat.completions.create.response = HELLO
    with openai_mock.router:
        assert new_client().chat.completions.create(**ASKED).choices[0].message.content == "Hello!"
    assert openai_mock.router.calls.call_count == 1


async def test_a_mock_answers_in_the_async_block_of_its_router() -> None:
    openai_mock = OpenAIMock()
    openai_mock.chat.completions.create.response = HELLO
    async with openai_mock.router, openai.AsyncOpenAI(api_key="k") as client:
        assert (await client.chat.completions.create(**ASKED)).choices[0].message.content == "Hello!"


def test_the_fixture_is_a_mock_that_is_not_active(openai_mock: OpenAIMock) -> None:
    assert isinstance(openai_mock, OpenAIMock)
    with openai_mock.router:
        assert new_client().beta.threads.create().id


@pytest.mark.parametrize("library", [httpx, httpx2], ids=["httpx", "httpx2"])
def test_the_handler_of_the_router_is_a_transport(library: Any) -> None:
    openai_mock = OpenAIMock()
    openai_mock.chat.completions.create.response = HELLO
    clients = [
        library.Client(transport=library.MockTransport(openai_mock.router.handler)),
        library.Client(transport=MockTransport(openai_mock.router.handler)),
        DefaultHttpxClient(transport=MockTransport(openai_mock.router.handler)),
    ]
    for http_client in clients:
        completion = new_client(http_client=http_client).chat.completions.create(**ASKED)
        assert completion.choices[0].message.content == "Hello!"


async def test_the_async_handler_of_the_router_is_a_transport() -> None:
    openai_mock = OpenAIMock()
    openai_mock.chat.completions.create.response = HELLO
    transport = httpx2.MockTransport(openai_mock.router.async_handler)
    async with openai.AsyncOpenAI(api_key="k", http_client=httpx2.AsyncClient(transport=transport)) as client:
        assert (await client.chat.completions.create(**ASKED)).choices[0].message.content == "Hello!"


# Answers


@openai_responses.mock()
def test_all_routes_have_default_answers(openai_mock: OpenAIMock) -> None:
    client = new_client()
    completion = client.chat.completions.create(**ASKED)
    assert completion.choices[0].message.content == ""
    moderation = client.moderations.create(input="Hi")
    assert (moderation.id[:5], moderation.model, moderation.results) == ("modr-", "text-moderation-007", [])
    assert client.embeddings.create(model="m", input="Hi").data
    assert len(client.models.list().data) > 10
    assert client.models.retrieve("gpt-3.5-turbo-instruct").object == "model"


@openai_responses.mock()
def test_an_answer_may_be_a_model(openai_mock: OpenAIMock) -> None:
    answer = {"id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "gpt-4o", **HELLO}
    openai_mock.chat.completions.create.response = ChatCompletion.model_validate(answer)
    assert new_client().chat.completions.create(**ASKED).id == "chatcmpl-1"


@openai_responses.mock()
def test_an_answer_may_be_a_response_of_httpx(openai_mock: OpenAIMock) -> None:
    openai_mock.chat.completions.create.response = Response(500)
    with pytest.raises(openai.InternalServerError):
        new_client().chat.completions.create(**ASKED)


@openai_responses.mock()
def test_an_answer_may_be_a_function_of_the_request_and_the_route(openai_mock: OpenAIMock) -> None:
    def fail_twice(request: Request, route: Route) -> Response:
        if route.call_count < 2:
            return Response(500)
        completion = chat.chat_completion_from_create_request(request, extra={"choices": []})
        return Response(201, json=completion.model_dump())

    openai_mock.chat.completions.create.response = fail_twice
    new_client(max_retries=3).chat.completions.create(**ASKED)
    assert openai_mock.chat.completions.create.route.call_count == 3


@openai_responses.mock()
def test_a_parsed_completion_has_the_same_route(openai_mock: OpenAIMock) -> None:
    class Event(BaseModel):
        name: str

    message = {"content": Event(name="Fair").model_dump_json(), "role": "assistant"}
    openai_mock.beta.chat.completions.create.response = {
        "choices": [{"index": 0, "finish_reason": "stop", "message": message}]
    }
    completion = new_client().chat.completions.parse(**ASKED, response_format=Event)
    assert completion.choices[0].message.parsed == Event(name="Fair")


@openai_responses.mock()
def test_what_is_created_has_the_status_201(openai_mock: OpenAIMock) -> None:
    client = new_client()
    assert client.chat.completions.with_raw_response.create(**ASKED).http_response.status_code == 201
    assert client.beta.threads.with_raw_response.create().http_response.status_code == 201
    assert client.models.with_raw_response.list().http_response.status_code == 200
    missing = httpx.get("https://api.openai.com/v1/threads/thread_1")
    assert missing.status_code == 404
    assert missing.json()["error"]["message"] == "No thread found with id 'thread_1'."


@openai_responses.mock()
def test_routes_have_respxs_ways_to_set_answers(openai_mock: OpenAIMock) -> None:
    client, route = new_client(), openai_mock.embeddings.create.route
    ask = lambda: client.embeddings.create(model="m", input="Hi")  # noqa: E731
    route.side_effect = [Response(500), httpx.ConnectError("gone"), Response(429)]
    for error in (openai.InternalServerError, openai.APIConnectionError, openai.RateLimitError):
        with pytest.raises(error):
            ask()
    with pytest.raises(openai.BadRequestError, match="has 3 answers, but this is request 4"):
        ask()
    route.side_effect = httpx.ReadTimeout
    with pytest.raises(openai.APITimeoutError):
        ask()
    route.mock(side_effect=lambda request: Response(401))
    with pytest.raises(openai.AuthenticationError):
        ask()
    route.return_value = Response(403)
    with pytest.raises(openai.PermissionDeniedError):
        ask()
    route.respond(404, json={"error": {"message": "no"}})
    with pytest.raises(openai.NotFoundError, match="no"):
        ask()
    route % 409
    with pytest.raises(openai.ConflictError):
        ask()
    assert route.call_count == 9


# Other APIs


@openai_responses.mock()
def test_other_urls_are_refused_unless_the_router_has_them(openai_mock: OpenAIMock) -> None:
    for library in (httpx, httpx2):
        with pytest.raises(AllMockedAssertionError, match=r"no route for POST https://api\.example\.com"):
            library.post("https://api.example.com/weather?key=secret", json={})
    route = openai_mock.router.post(url="https://api.example.com/weather")
    route.mock(Response(200, json={"value": 57}))
    assert post("https://api.example.com/weather").json() == {"value": 57}
    assert httpx2.post("https://api.example.com/weather").json() == {"value": 57}
    assert route.call_count == 2
    with pytest.raises(AllMockedAssertionError, match="no route for GET"):
        httpx.get("https://api.example.com/weather")


@openai_responses.mock()
def test_an_error_about_a_url_does_not_show_its_query(openai_mock: OpenAIMock) -> None:
    with pytest.raises(AllMockedAssertionError) as caught:
        httpx.get("https://api.example.com/?key=secret")
    assert "secret" not in f"{caught.value}"


@pytest.mark.parametrize(
    "patterns",
    [
        {"url": "https://api.example.com"},
        {"url__regex": r"example\.com"},
        {"url__startswith": "https://api."},
        {"host": "api.example.com", "scheme": "https", "path": "/"},
        {"path__regex": "^/$"},
        {"path__startswith": "/"},
        {"params": {"a": 1}},
        {},
    ],
    ids=str,
)
@openai_responses.mock()
def test_the_router_has_patterns(patterns: Any, openai_mock: OpenAIMock) -> None:
    route = openai_mock.router.route(method="GET", **patterns) % {"text": "found"}
    url = "https://api.example.com/" + ("?a=1&b=2" if "params" in patterns else "")
    assert httpx.get(url).text == "found"
    assert route.calls.last.request.method == "GET"
    with pytest.raises(AllMockedAssertionError):
        httpx.put(url)


def test_a_pattern_that_the_router_does_not_know_is_an_error(openai_mock: OpenAIMock) -> None:
    with pytest.raises(TypeError, match="a route has no pattern 'urls'; it has url, "):
        openai_mock.router.get(urls="x")
    with pytest.raises(TypeError, match="answers with a response of httpx or httpx2, not dict"):
        openai_mock.router.get("https://a.example").mock({"a": 1})


@openai_responses.mock()
def test_the_router_answers_for_endpoints_that_the_mock_lacks(openai_mock: OpenAIMock) -> None:
    client = new_client()
    with pytest.raises(openai.NotFoundError, match="the mock has no GET /batches"):
        client.batches.list()
    openai_mock.router.get("/batches").respond(json={"object": "list", "data": []})
    assert client.batches.list().data == []
    with pytest.raises(openai.NotFoundError, match="the mock has no GET /batches/b1"):
        client.batches.retrieve("b1")


@openai_responses.mock()
def test_a_route_passes_requests_through(openai_mock: OpenAIMock, unused_tcp_port: int) -> None:
    openai_mock.router.route(host="127.0.0.1").pass_through()
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"http://127.0.0.1:{unused_tcp_port}/")
    openai_mock.embeddings.create.route.pass_through()
    client = new_client(base_url=f"http://127.0.0.1:{unused_tcp_port}")
    with pytest.raises(openai.APIConnectionError):
        client.embeddings.create(model="m", input="Hi")
    assert openai_mock.router.calls == []


@mock_anthropic
@openai_responses.mock
def test_a_mock_of_another_api_answers_its_requests(mock_anthropic: Any, openai_mock: OpenAIMock) -> None:
    mock_anthropic.messages.create.response = MockError("busy", status=529)
    assert httpx.post("https://api.anthropic.com/v1/messages", json={}).status_code == 529


# The store


@openai_responses.mock()
def test_objects_are_kept(openai_mock: OpenAIMock) -> None:
    client = new_client()
    assistant = client.beta.assistants.create(model="gpt-4-turbo", name="Math Tutor", tools=[])
    thread = client.beta.threads.create()
    for number in range(10):
        client.beta.threads.messages.create(thread.id, role="user", content=f"{number}")
    assert len(client.beta.threads.messages.list(thread.id).data) == 10
    assert len(client.beta.threads.messages.list(thread.id, limit=4, order="desc").data) == 4
    run = client.beta.threads.runs.create(thread.id, assistant_id=assistant.id)
    assert run.status == "queued"
    message = messages.build_message(
        {"thread_id": thread.id, "run_id": run.id, "role": "assistant", "content": [], "status": "completed"}
    )
    step = run_steps.build_run_step(
        {
            "assistant_id": assistant.id,
            "thread_id": thread.id,
            "run_id": run.id,
            "status": "in_progress",
            "type": "message_creation",
            "step_details": {
                "type": "message_creation",
                "message_creation": {"message_id": message.id},
            },
        }
    )
    openai_mock.state.beta.threads.messages.put(message)
    openai_mock.state.beta.threads.runs.steps.put(step)
    assert client.beta.threads.runs.steps.list(run.id, thread_id=thread.id).data == [step]
    assert client.beta.threads.messages.retrieve(message.id, thread_id=thread.id) == message


def test_a_store_is_shared_by_mocks() -> None:
    state = StateStore()
    state.beta.assistants.put(Assistant(id="asst_1", created_at=0, model="m", object="assistant", tools=[]))

    @openai_responses.mock(state=state)
    def create(openai_mock: OpenAIMock) -> None:
        assert openai_mock.state is state
        new_client().beta.assistants.create(model="gpt-4o")

    @openai_responses.mock()
    def read(openai_mock: OpenAIMock) -> int:
        openai_mock.state = state
        return len(new_client().beta.assistants.list().data)

    create()
    create()
    assert read() == 3
    assert len(state.beta.assistants.list()) == 3


def test_only_a_store_is_a_state(openai_mock: OpenAIMock) -> None:
    with pytest.raises(TypeError, match=r"openai_mock\.state must be a StateStore, not dict"):
        openai_mock.state = {}
    with pytest.raises(TypeError, match="must be a StateStore"):
        OpenAIMock(state={"count": 0})  # type: ignore[arg-type]


def test_stores_list_pages_as_the_api_does() -> None:
    state = StateStore()
    for number in range(100):
        state.beta.assistants.put(
            Assistant(id=f"asst_{number}", created_at=0, model="", object="assistant", tools=[])
        )
        state.beta.threads.messages.put(
            Message(
                id=f"msg_{number}",
                content=[],
                created_at=0,
                object="thread.message",
                role="user",
                run_id="run_1" if number % 2 else None,
                status="completed",
                thread_id="thread_1",
            )
        )
    between = state.beta.assistants.list(limit="100", order="asc", after="asst_19", before="asst_30")
    assert [each.id for each in between] == [f"asst_{number}" for number in range(20, 30)]
    between = state.beta.assistants.list(limit="100", order="desc", after="asst_30", before="asst_19")
    assert [each.id for each in between] == [f"asst_{number}" for number in range(29, 19, -1)]
    assert len(state.beta.assistants.list()) == 20
    assert len(state.beta.threads.messages.list("thread_1", "100", run_id="run_1")) == 50
    assert state.beta.threads.messages.list("thread_2") == []


def test_stores_put_get_and_delete() -> None:
    state = StateStore()
    pairs: list[tuple[Any, Any]] = [
        (
            state.files,
            FileObject(
                id="file-1",
                bytes=0,
                created_at=0,
                filename="a",
                object="file",
                purpose="batch",
                status="uploaded",
            ),
        ),
        (state.beta.threads, Thread(id="thread_1", created_at=0, object="thread")),
        (state.vector_stores, vector_stores.vector_store_from_create_request(Request("POST", "https://a"))),
    ]
    for store, obj in pairs:
        store.put(obj)
        assert store.get(obj.id) is obj
        assert store.get("no") is None
        assert store.list() == [obj]
        assert not store.delete("no")
        assert store.delete(obj.id)
        assert store.list() == []
    assert state.files.list(purpose="batch") == []
    assert {model.id for model in state.models.list()} > {"gpt-4o", "text-embedding-ada-002"}
    state.vector_stores.file_batches.add_related_file("batch_1", "file-1")
    assert state.vector_stores.file_batches.get_related_files("batch_1") == ["file-1"]
    assert state.vector_stores.file_batches.get_related_files("no") == []


@openai_responses.mock()
def test_a_function_polls_a_run_with_the_store(openai_mock: OpenAIMock) -> None:
    def poll(
        request: Request, route: Route, *, state_store: StateStore, thread_id: str, run_id: str
    ) -> Response:
        run = state_store.beta.threads.runs.get(run_id)
        assert run is not None
        if route.call_count < 2:
            run.status = "in_progress"
        else:
            call = {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
            action = {"type": "submit_tool_outputs", "submit_tool_outputs": {"tool_calls": [call]}}
            run = merge_run_with_partial(run, {"status": "requires_action", "required_action": action})
        state_store.beta.threads.runs.put(run)
        return Response(200, request=request, json=run.model_dump())

    client = new_client()
    assistant = client.beta.assistants.create(model="m")
    thread = client.beta.threads.create()
    run = client.beta.threads.runs.create(thread.id, assistant_id=assistant.id)
    openai_mock.beta.threads.runs.retrieve.response = poll
    statuses = [client.beta.threads.runs.retrieve(run.id, thread_id=thread.id).status for _ in range(3)]
    assert statuses == ["in_progress", "in_progress", "requires_action"]
    outputs: Any = [{"tool_call_id": "call_1", "output": "57"}]
    client.beta.threads.runs.submit_tool_outputs(run.id, thread_id=thread.id, tool_outputs=outputs)
    assert openai_mock.beta.threads.runs.retrieve.route.call_count == 3


# Streams


class ChatStream(EventStream[ChatCompletionChunk]):
    def generate(self) -> Iterator[ChatCompletionChunk]:
        for delta in ({"role": "assistant", "content": ""}, {"content": "Hello"}, {}):
            yield ChatCompletionChunk.model_validate(
                {
                    "id": "chatcmpl-1",
                    "object": "chat.completion.chunk",
                    "created": 1,
                    "model": "gpt-4o",
                    "choices": [{"index": 0, "delta": delta, "finish_reason": None if delta else "stop"}],
                }
            )


@openai_responses.mock()
def test_a_stream_of_chunks_is_the_content_of_a_response(openai_mock: OpenAIMock) -> None:
    openai_mock.chat.completions.create.response = lambda request: Response(201, content=ChatStream())
    chunks = list(new_client().chat.completions.create(**ASKED, stream=True))
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == "Hello"


def run_events(run: Run, state: StateStore) -> Iterator[Any]:
    state.beta.threads.runs.put(run)
    yield ThreadRunCreated(event="thread.run.created", data=run)
    text = {"type": "text", "text": {"annotations": [], "value": "Hello!"}}
    fields = {"role": "assistant", "status": "completed", "thread_id": run.thread_id, "content": [text]}
    message = messages.build_message(fields)
    state.beta.threads.messages.put(message)
    yield ThreadMessageCreated(event="thread.message.created", data=message)
    run.status = "completed"
    yield ThreadRunCompleted(event="thread.run.completed", data=run)


class RunStream(EventStream[Any]):
    def __init__(self, run: Run, state: StateStore) -> None:
        self.run, self.state = run, state

    def generate(self) -> Iterator[Any]:
        yield from run_events(self.run, self.state)


class AsyncRunStream(AsyncEventStream[Any]):
    def __init__(self, run: Run, state: StateStore) -> None:
        self.run, self.state = run, state

    async def agenerate(self) -> AsyncIterator[Any]:
        for event in run_events(self.run, self.state):
            yield event


@pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])
async def test_a_stream_of_a_run_changes_the_store_once(is_async: bool) -> None:
    openai_mock = OpenAIMock()
    seen: list[str] = []

    class Handler(AssistantEventHandler):
        def on_event(self, event: Any) -> None:
            seen.append(event.event)

    class AsyncHandler(AsyncAssistantEventHandler):
        async def on_event(self, event: Any) -> None:
            seen.append(event.event)

    def answer(request: Request, *, thread_id: str, state_store: StateStore) -> Response:
        run = runs.run_from_create_request(thread_id, request, extra={"model": "gpt-4-turbo"})
        stream = (AsyncRunStream if is_async else RunStream)(run, state_store)
        return Response(201, content=stream)

    openai_mock.beta.threads.runs.create.response = answer
    with openai_mock.router:
        client = new_client()
        assistant = client.beta.assistants.create(model="gpt-4-turbo")
        thread = client.beta.threads.create()
        ids = {"thread_id": thread.id, "assistant_id": assistant.id}
        if is_async:
            other = openai.AsyncOpenAI(api_key="k")
            async with other, other.beta.threads.runs.stream(**ids, event_handler=AsyncHandler()) as stream:
                await stream.until_done()
        else:
            with client.beta.threads.runs.stream(**ids, event_handler=Handler()) as handler:
                handler.until_done()
        assert seen == ["thread.run.created", "thread.message.created", "thread.run.completed"]
        assert len(client.beta.threads.messages.list(thread.id).data) == 1
        (run,) = client.beta.threads.runs.list(thread.id).data
        assert run.status == "completed"


# Builders and mergers


def request_of(**body: Any) -> Request:
    return Request("POST", "https://api.openai.com/v1/x", json=body)


def test_builders_make_complete_models_of_requests() -> None:
    made = [
        chat.chat_completion_from_create_request(request_of(**ASKED), extra=HELLO),
        embeddings.embedding_create_response_from_create_request(request_of(model="m", input="Hi")),
        moderations.moderation_create_response_from_create_request(request_of(input="Hi")),
        assistants.assistant_from_create_request(request_of(model="gpt-4o"), extra={"name": "Tutor"}),
        threads.thread_from_create_request(request_of(metadata={"a": "b"}, messages=[])),
        messages.message_from_create_request("thread_1", request_of(role="user", content="Hi")),
        messages.build_message(
            {"thread_id": "thread_1", "role": "user", "content": [], "status": "completed"}
        ),
        runs.run_from_create_request("thread_1", request_of(assistant_id="asst_1"), extra={"model": "m"}),
        run_steps.build_run_step(
            {
                "assistant_id": "asst_1",
                "thread_id": "thread_1",
                "run_id": "run_1",
                "status": "completed",
                "type": "tool_calls",
                "step_details": {"type": "tool_calls", "tool_calls": []},
            }
        ),
        vector_stores.vector_store_from_create_request(request_of(name="Docs")),
        vector_store_files.vector_store_file_from_create_request(
            request_of(file_id="file-1"), extra={"vector_store_id": "vs_1"}
        ),
    ]
    for model in made:
        assert_complete(model)
    names = [type(model).__name__ for model in made]
    assert names[:4] == ["ChatCompletion", "CreateEmbeddingResponse", "ModerationCreateResponse", "Assistant"]
    assert isinstance(made[9], VectorStore)
    assert made[9].name == "Docs"


def test_mergers_return_changed_copies() -> None:
    assistant = assistants.assistant_from_create_request(request_of(model="gpt-4o"))
    thread = threads.thread_from_create_request(request_of())
    run = runs.run_from_create_request("thread_1", request_of(assistant_id="asst_1"))
    assert merge_assistant_with_partial(assistant, {"name": "Tutor"}).name == "Tutor"
    assert merge_thread_with_partial(thread, {"metadata": {"a": "b"}}).metadata == {"a": "b"}
    assert merge_run_with_partial(run, {"status": "failed"}).status == "failed"
    assert (assistant.name, thread.metadata, run.status) == (None, {}, "queued")
    with pytest.raises(TypeError, match="no field 'state'"):
        merge_run_with_partial(run, {"state": "failed"})


def test_pytest_looks_for_no_fixture_if_the_decorator_gives_the_mock() -> None:
    @openai_responses.mock()
    def test(openai_mock: OpenAIMock, tmp_path: Any) -> None: ...

    assert list(inspect.signature(test).parameters) == ["tmp_path"]
