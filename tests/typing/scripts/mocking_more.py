"""Mocks of objects, of other providers, and with the names of openai-responses."""

from openai.types.beta import Assistant, Thread
from openai.types.beta.threads import Message, Run
from typing_extensions import assert_type

from ssejet.testing import (
    GoogleGenAIMock,
    MistralMock,
    OpenAIMock,
    Route,
    StateStore,
    mock_google_genai,
    mock_mistral,
    mock_openai,
    openai_responses,
)
from ssejet.testing.openai_responses.ext.httpx import Request, Response
from ssejet.testing.openai_responses.helpers.builders.runs import run_from_create_request
from ssejet.testing.openai_responses.helpers.mergers.runs import merge_run_with_partial
from ssejet.testing.openai_responses.streaming import EventStream


@mock_openai
def test_objects(mock_openai: OpenAIMock) -> None:
    assert_type(mock_openai.beta.threads.runs.steps.list, Route)
    assert_type(mock_openai.vector_stores.file_batches.list_files, Route)
    mock_openai.embeddings.create.responses = [{"data": [[1.0]]}, "x"]
    mock_openai.beta.threads.runs.make  # error: make
    assert_type(mock_openai.store, StateStore)
    assert_type(mock_openai.store.beta.assistants.get("asst_1"), Assistant | None)
    assert_type(mock_openai.store.beta.threads.messages.list("thread_1"), list[Message])
    mock_openai.store.beta.threads.put(Thread(id="thread_1", created_at=0, object="thread"))
    mock_openai.store.beta.threads.put(3)  # error: int|Literal


@mock_mistral
def test_mistral(mock_mistral: MistralMock) -> None:
    mock_mistral.chat.stream.response = "Hello"
    mock_mistral.messages  # error: messages


def test_google() -> None:
    with mock_google_genai() as mock:
        assert_type(mock, GoogleGenAIMock)
        mock.models.generate_content_stream.response = "Hello"


class Events(EventStream[dict[str, int]]):
    def generate(self) -> list[dict[str, int]]:
        return [{"a": 1}]


def answer(request: Request, route: Route, *, thread_id: str, state_store: StateStore) -> Response:
    run = run_from_create_request(thread_id, request, extra={"model": "m"})
    assert_type(run, Run)
    state_store.beta.threads.runs.put(merge_run_with_partial(run, {"status": "failed"}))
    return Response(201, content=Events())


@openai_responses.mock(base_url="https://127.0.0.1")
async def test_openai_responses(openai_mock: openai_responses.OpenAIMock) -> None:
    openai_mock.beta.threads.runs.create.response = answer
    assert_type(openai_mock.state, StateStore)
    assert_type(openai_mock.beta.threads.runs.create.call_count, int)
    openai_mock.router.post(url="https://127.0.0.1/x").mock(Response(200))
    openai_mock.router.posts  # error: posts


openai_responses.mock(state={})  # error: state|overload
