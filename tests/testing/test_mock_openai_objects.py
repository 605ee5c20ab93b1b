"""What OpenAI's clients create, find, list, change and delete in a mock."""

from __future__ import annotations

import struct
from functools import partial
from typing import TYPE_CHECKING, Any

import openai
import pytest
from openai.types.beta import Assistant, Thread
from openai.types.beta.threads import Message, Run

from ssejet import Client
from ssejet.testing import MockError, OpenAIMock, StateStore, StreamedAnswer
from ssejet.testing._endpoints import OPENAI_ENDPOINTS
from ssejet.testing._openai_routes import Beta
from testing.openai_clients import CLIENTS, assert_complete, close, collect, wait

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]

PNG = b"\x89PNG\r\n\x1a\n\x00\xff\r\n--not the boundary\r\n\r\n\n"


@pytest.fixture(params=CLIENTS)
async def client(request: pytest.FixtureRequest) -> AsyncIterator[Any]:
    client = CLIENTS[request.param]()
    yield client
    await close(client)


@pytest.fixture
def sync_client() -> Any:
    return CLIENTS["sync"]()


async def test_each_endpoint_answers_with_complete_models(client: Any, mock_openai: OpenAIMock) -> None:
    """Every endpoint by its method, with every required field of every model in the answers."""
    answers: list[Any] = []

    async def get(result: Any) -> Any:
        answer = await wait(result)
        answers.append(answer)
        return answer

    mock_openai.chat.completions.create.response = "Hello"
    mock_openai.completions.create.response = "Hello"
    mock_openai.responses.create.response = "Hello"
    mock_openai.beta.threads.runs.create.response = {
        "required_action": {
            "submit_tool_outputs": {"tool_calls": [{"id": "call_1", "function": {"name": "f"}}]}
        }
    }
    mock_openai.beta.threads.create_and_run.response = "Hello"
    mock_openai.beta.threads.runs.submit_tool_outputs.response = "Sunny"

    await get(client.chat.completions.create(model="m", messages=[{"role": "user", "content": "Hi"}]))
    await get(client.completions.create(model="m", prompt="Hi"))
    response = await get(client.responses.create(model="m", input="Hi"))
    await get(client.responses.retrieve(response.id))
    await get(client.responses.cancel(response.id))
    await wait(client.responses.delete(response.id))
    await get(client.embeddings.create(model="m", input=["one two", "three"]))
    await get(client.moderations.create(input=["one", "two"]))
    await get(client.images.generate(prompt="A cat", n=2))
    await get(client.images.edit(image=("a.png", PNG), prompt="A dog"))
    await get(client.images.create_variation(image=("a.png", PNG)))
    await get(client.models.list())
    await get(client.models.retrieve("gpt-4o"))
    await get(client.models.delete("gpt-4o"))

    file = await get(client.files.create(file=("a.png", PNG), purpose="assistants"))
    await get(client.files.list())
    await get(client.files.retrieve(file.id))
    await wait(client.files.content(file.id))

    stores = client.vector_stores
    store = await get(stores.create(name="Docs", file_ids=[file.id]))
    await get(stores.list())
    await get(stores.retrieve(store.id))
    await get(stores.update(store.id, name="Texts"))
    added = await get(stores.files.create(store.id, file_id=file.id))
    await get(stores.files.list(store.id))
    await get(stores.files.retrieve(added.id, vector_store_id=store.id))
    await get(stores.files.update(added.id, vector_store_id=store.id, attributes={"lang": "en"}))
    await get(stores.files.content(added.id, vector_store_id=store.id))
    batch = await get(stores.file_batches.create(store.id, file_ids=[file.id]))
    await get(stores.file_batches.retrieve(batch.id, vector_store_id=store.id))
    await get(stores.file_batches.list_files(batch.id, vector_store_id=store.id))
    await get(stores.file_batches.cancel(batch.id, vector_store_id=store.id))
    await get(stores.files.delete(added.id, vector_store_id=store.id))
    await get(stores.delete(store.id))
    await get(client.files.delete(file.id))

    beta = client.beta
    assistant = await get(beta.assistants.create(model="gpt-4o", name="Tutor"))
    await get(beta.assistants.list())
    await get(beta.assistants.retrieve(assistant.id))
    await get(beta.assistants.update(assistant.id, name="Teacher"))
    thread = await get(beta.threads.create(messages=[{"role": "user", "content": "Hi"}]))
    await get(beta.threads.retrieve(thread.id))
    await get(beta.threads.update(thread.id, metadata={"a": "b"}))
    message = await get(beta.threads.messages.create(thread.id, role="user", content="Hello"))
    await get(beta.threads.messages.list(thread.id))
    await get(beta.threads.messages.retrieve(message.id, thread_id=thread.id))
    await get(beta.threads.messages.update(message.id, thread_id=thread.id, metadata={"a": "b"}))
    run = await get(beta.threads.runs.create(thread.id, assistant_id=assistant.id))
    await get(beta.threads.runs.list(thread.id))
    await get(beta.threads.runs.retrieve(run.id, thread_id=thread.id))
    await get(beta.threads.runs.update(run.id, thread_id=thread.id, metadata={"a": "b"}))
    await get(
        beta.threads.runs.submit_tool_outputs(
            run.id, thread_id=thread.id, tool_outputs=[{"tool_call_id": "call_1", "output": "1"}]
        )
    )
    steps = await get(beta.threads.runs.steps.list(run.id, thread_id=thread.id))
    await get(beta.threads.runs.steps.retrieve(steps.data[0].id, thread_id=thread.id, run_id=run.id))
    del mock_openai.beta.threads.runs.create.response
    run = await get(beta.threads.runs.create(thread.id, assistant_id=assistant.id))
    await get(beta.threads.runs.cancel(run.id, thread_id=thread.id))
    await get(beta.threads.create_and_run(assistant_id=assistant.id, thread={}))
    await get(beta.threads.messages.delete(message.id, thread_id=thread.id))
    await get(beta.threads.delete(thread.id))
    await get(beta.assistants.delete(assistant.id))

    for answer in answers:
        assert_complete(answer)
    called = {route.endpoint.name for route in mock_openai._routes if route.called}
    assert called == {endpoint.name for endpoint in OPENAI_ENDPOINTS}


async def test_an_upload_is_kept_byte_for_byte(client: Any, mock_openai: OpenAIMock) -> None:
    file = await wait(client.files.create(file=("cät.png", PNG), purpose="vision"))
    assert (file.filename, file.bytes, file.purpose) == ("cät.png", len(PNG), "vision")
    assert (await wait(client.files.content(file.id))).content == PNG
    stored = mock_openai.store.files.get(file.id)
    assert stored is not None
    assert stored.filename == "cät.png"
    assert mock_openai.store.files.content.get(file.id) == PNG


async def test_a_deleted_object_is_gone(client: Any, mock_openai: OpenAIMock) -> None:
    file = await wait(client.files.create(file=("a.txt", b"a"), purpose="batch"))
    assert (await wait(client.files.delete(file.id))).deleted
    for method in (client.files.retrieve, client.files.content, client.files.delete):
        with pytest.raises(openai.NotFoundError, match=rf"No file found with id '{file.id}'"):
            await wait(method(file.id))
    assert mock_openai.store.files.content.get(file.id) is None


async def test_lists_have_pages(client: Any, mock_openai: OpenAIMock) -> None:
    names = [f"assistant {number}" for number in range(7)]
    for name in names:
        await wait(client.beta.assistants.create(model="m", name=name))
    page = await wait(client.beta.assistants.list(limit=3))
    assert [each.name for each in page.data] == names[:3:-1]
    assert page.has_more
    assert page.has_next_page()
    following = await wait(page.get_next_page())
    assert [each.name for each in following.data] == names[3:0:-1]
    everything = client.beta.assistants.list(limit=3, order="asc")
    assert [each.name for each in await collect(everything)] == names
    earlier = await wait(client.beta.assistants.list(before=page.data[2].id, order="desc"))
    assert [each.name for each in earlier.data] == names[:4:-1]


LISTS = ["assistants", "messages", "runs", "steps", "vector_stores", "files of a store", "files of a batch"]


def listed(client: Any, name: str, count: int) -> tuple[Any, list[str]]:
    """Make objects. Returns the method that lists them, and their ids, the oldest first."""
    threads, stores = client.beta.threads, client.vector_stores
    if name == "vector_stores":
        return stores.list, [stores.create().id for _ in range(count)]
    if "files" in name:
        uploads = [client.files.create(file=("a", b"a"), purpose="assistants").id for _ in range(count)]
        if "batch" not in name:
            store = stores.create(file_ids=uploads)
            return partial(stores.files.list, store.id), uploads
        store = stores.create(file_ids=uploads[:1])
        batch = stores.file_batches.create(store.id, file_ids=uploads[1:])
        return partial(stores.file_batches.list_files, batch.id, vector_store_id=store.id), uploads[1:]
    if name == "assistants":
        return client.beta.assistants.list, [
            client.beta.assistants.create(model="m").id for _ in range(count)
        ]
    thread = threads.create()
    if name == "messages":
        create = partial(threads.messages.create, thread.id, role="user", content="Hi")
        return partial(threads.messages.list, thread.id), [create().id for _ in range(count)]
    assistant = client.beta.assistants.create(model="m")
    create = partial(threads.runs.create, thread_id=thread.id, assistant_id=assistant.id)
    if name == "runs":
        return partial(threads.runs.list, thread.id), [create().id for _ in range(count)]
    run = create(stream=True)
    ids = [event.data.id for event in run if event.event == "thread.run.step.created"]
    (latest,) = threads.runs.list(thread.id)
    return partial(threads.runs.steps.list, thread_id=thread.id, run_id=latest.id), ids


@pytest.mark.parametrize("name", LISTS)
@pytest.mark.parametrize("order", ["asc", "desc"])
def test_a_page_begins_after_one_object_or_ends_before_another(
    sync_client: Any, mock_openai: OpenAIMock, name: str, order: str
) -> None:
    mock_openai.beta.threads.runs.create.response = {"messages": [f"{number}" for number in range(6)]}
    method, ids = listed(sync_client, name, 7)
    assert len(ids) >= 6
    if order == "desc":
        ids.reverse()

    def page(**params: Any) -> tuple[list[str], bool]:
        found = method(order=order, **params)
        got = [each.id for each in found.data]
        assert (found.first_id, found.last_id) == ((got[0], got[-1]) if got else (None, None))
        return got, found.has_more

    assert page() == (ids, False)
    assert page(limit=2) == (ids[:2], True)
    assert page(limit=2, after=ids[1]) == (ids[2:4], True)
    assert page(after=ids[1]) == (ids[2:], False)
    assert page(after=ids[-1]) == ([], False)
    # The page before an object is next to it, so that one can go back page by page.
    assert page(limit=2, before=ids[4]) == (ids[2:4], True)
    assert page(limit=2, before=ids[2]) == (ids[:2], False)
    assert page(before=ids[0]) == ([], False)
    assert page(after=ids[0], before=ids[4]) == (ids[1:4], False)
    assert page(limit=1, after=ids[0], before=ids[4]) == (ids[1:2], True)
    for size in range(1, len(ids) + 1):
        assert [each.id for each in method(order=order, limit=size)] == ids


@pytest.mark.parametrize(
    ("params", "code", "message"),
    [
        ({"limit": 0}, "integer_below_min_value", "Expected a value >= 1, but got 0"),
        ({"limit": -5}, "integer_below_min_value", "Expected a value >= 1, but got -5"),
        ({"limit": 101}, "integer_above_max_value", "Expected a value <= 100, but got 101"),
        ({"limit": "x"}, "invalid_type", "expected an integer, but got 'x'"),
        ({"order": "up"}, "invalid_value", "'up' is neither 'asc' nor 'desc'"),
    ],
)
@pytest.mark.parametrize("name", ["assistants", "files of a batch"])
def test_a_list_refuses_a_limit_or_an_order_that_the_api_does_not_take(
    sync_client: Any, mock_openai: OpenAIMock, name: str, params: Any, code: str, message: str
) -> None:
    method, _ = listed(sync_client, name, 2)
    with pytest.raises(openai.BadRequestError, match=message) as caught:
        method(**params)
    (param,) = params
    assert (caught.value.param, caught.value.code) == (param, code)


def test_a_page_of_files_may_be_large(sync_client: Any, mock_openai: OpenAIMock) -> None:
    sync_client.files.create(file=("a", b"a"), purpose="batch")
    assert len(sync_client.files.list(limit=10_000).data) == 1
    with pytest.raises(openai.BadRequestError, match="<= 10000"):
        sync_client.files.list(limit=10_001)


def test_lists_can_be_filtered(sync_client: Any, mock_openai: OpenAIMock) -> None:
    for purpose in ("batch", "vision", "batch"):
        sync_client.files.create(file=("a.txt", b"a"), purpose=purpose)
    assert len(sync_client.files.list().data) == 3
    assert len(sync_client.files.list(purpose="batch").data) == 2
    store = sync_client.vector_stores.create(file_ids=[each.id for each in sync_client.files.list()])
    assert store.file_counts.completed == store.file_counts.total == 3
    assert len(sync_client.vector_stores.files.list(store.id, filter="completed").data) == 3
    assert len(sync_client.vector_stores.files.list(store.id, filter="failed").data) == 0


def test_an_object_of_one_thread_is_not_found_in_another(sync_client: Any, mock_openai: OpenAIMock) -> None:
    threads = sync_client.beta.threads
    mine, other = threads.create(), threads.create()
    message = threads.messages.create(mine.id, role="user", content="Hi")
    assert threads.messages.list(other.id).data == []
    with pytest.raises(openai.NotFoundError, match="No message found"):
        threads.messages.retrieve(message.id, thread_id=other.id)
    with pytest.raises(openai.NotFoundError, match="No thread found with id 'thread_no'"):
        threads.messages.list("thread_no")


def test_an_unknown_assistant_thread_or_file_is_not_found(sync_client: Any, mock_openai: OpenAIMock) -> None:
    beta = sync_client.beta
    thread = beta.threads.create()
    assistant = beta.assistants.create(model="m")
    with pytest.raises(openai.NotFoundError, match="No assistant found with id 'asst_no'"):
        beta.threads.runs.create(thread.id, assistant_id="asst_no")
    with pytest.raises(openai.NotFoundError, match="No thread found"):
        beta.threads.runs.create("thread_no", assistant_id=assistant.id)
    with pytest.raises(openai.NotFoundError, match="No assistant found"):
        beta.threads.create_and_run(assistant_id="asst_no")
    with pytest.raises(openai.NotFoundError, match="No file found with id 'file-no'"):
        sync_client.vector_stores.create(file_ids=["file-no"])
    assert len(mock_openai.store.beta.threads) == 1
    assert len(mock_openai.store.vector_stores) == 0


def test_a_test_fills_the_store_and_reads_it(sync_client: Any, mock_openai: OpenAIMock) -> None:
    store = mock_openai.store
    store.beta.threads.put(Thread(id="thread_1", created_at=0, object="thread"))
    assistant = Assistant(id="asst_1", created_at=0, object="assistant", model="gpt-4o", tools=[])
    store.beta.assistants.put(assistant)
    store.beta.threads.messages.put(
        {"id": "msg_1", "object": "thread.message", "thread_id": "thread_1", "role": "user", "content": []}
    )
    run = sync_client.beta.threads.runs.create("thread_1", assistant_id="asst_1")
    assert run.model == "gpt-4o"
    kept = store.beta.threads.runs.get(run.id)
    assert isinstance(kept, Run)
    assert [each.id for each in store.beta.threads.runs.list("thread_1")] == [run.id]
    assert isinstance(store.beta.threads.messages.get("msg_1"), Message)
    kept.status = "expired"
    assert sync_client.beta.threads.runs.retrieve(run.id, thread_id="thread_1").status == "expired"
    assert store.beta.threads.delete("thread_1")
    assert not store.beta.threads.delete("thread_1")


def test_a_store_refuses_what_it_cannot_keep() -> None:
    store = StateStore()
    thread = Thread(id="thread_1", created_at=0, object="thread")
    with pytest.raises(TypeError, match="the store of 'assistant' objects takes no object 'thread'"):
        store.beta.assistants.put(thread)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="takes objects with an id"):
        store.beta.threads.put({"object": "thread"})


def test_a_run_inherits_from_its_assistant_what_the_request_omits(
    sync_client: Any, mock_openai: OpenAIMock
) -> None:
    beta = sync_client.beta
    assistant = beta.assistants.create(
        model="gpt-4o", instructions="Be kind.", tools=[{"type": "code_interpreter"}], temperature=0.5
    )
    thread = beta.threads.create()
    run = beta.threads.runs.create(
        thread.id,
        assistant_id=assistant.id,
        model="gpt-5",
        additional_instructions="Be brief.",
        additional_messages=[{"role": "user", "content": "Also"}],
    )
    assert (run.model, run.instructions, run.temperature) == ("gpt-5", "Be kind. Be brief.", 0.5)
    assert run.tools == assistant.tools
    assert beta.threads.messages.list(thread.id).data[0].content[0].text.value == "Also"


def test_vector_stores_of_assistants_and_threads_are_made(sync_client: Any, mock_openai: OpenAIMock) -> None:
    file = sync_client.files.create(file=("a.txt", b"text"), purpose="assistants")
    resources: Any = {"file_search": {"vector_stores": [{"file_ids": [file.id]}]}}
    made = [
        sync_client.beta.assistants.create(model="m", tool_resources=resources),
        sync_client.beta.threads.create(tool_resources=resources),
    ]
    for each in made:
        (id,) = each.tool_resources.file_search.vector_store_ids
        assert [kept.id for kept in sync_client.vector_stores.files.list(id)] == [file.id]


def test_an_answer_that_a_test_sets_comes_first_and_is_kept(
    sync_client: Any, mock_openai: OpenAIMock
) -> None:
    beta, routes = sync_client.beta, mock_openai.beta.threads
    thread = beta.threads.create()
    assistant = beta.assistants.create(model="m")
    run = beta.threads.runs.create(thread.id, assistant_id=assistant.id)
    run.status = "in_progress"
    routes.runs.retrieve.response = run
    assert beta.threads.runs.retrieve(run.id, thread_id=thread.id).status == "in_progress"
    routes.runs.retrieve.response = {"status": "failed"}
    assert beta.threads.runs.retrieve(run.id, thread_id=thread.id).status == "failed"
    del routes.runs.retrieve.response
    assert beta.threads.runs.retrieve(run.id, thread_id=thread.id).status == "failed"
    routes.messages.list.response = {"data": [{"content": "Hi", "thread_id": thread.id}]}
    page = beta.threads.messages.list(thread.id)
    assert_complete(page.data[0].thread_id)
    routes.delete.response = {"deleted": False}
    assert not beta.threads.delete(thread.id).deleted


def test_functions_get_path_parameters_and_the_store(sync_client: Any, mock_openai: OpenAIMock) -> None:
    seen: list[Any] = []

    def answer(request: Any, thread_id: str, *, store: StateStore, route: Any) -> Any:
        seen.append((thread_id, store is mock_openai.store, route.call_count))
        return {"metadata": {"id": thread_id}}

    def answer_with_all(request: Any, **path: str) -> Any:
        seen.append(path)
        return MockError("gone", status=404)

    mock_openai.beta.threads.retrieve.response = answer
    assert sync_client.beta.threads.retrieve("thread_7").metadata == {"id": "thread_7"}
    mock_openai.beta.threads.messages.retrieve.response = answer_with_all
    with pytest.raises(openai.NotFoundError, match="gone"):
        sync_client.beta.threads.messages.retrieve("msg_8", thread_id="thread_7")
    assert seen == [("thread_7", True, 0), {"thread_id": "thread_7", "message_id": "msg_8"}]


@pytest.mark.parametrize(
    ("route", "answer", "message"),
    [
        ("chat.completions.create", {"choises": []}, "no field 'choises': did you mean 'choices'"),
        ("responses.create", {"out_put": []}, "no field 'out_put': did you mean 'output'"),
        ("beta.threads.create", {"meta": {}}, "no field 'meta': did you mean 'metadata'"),
        ("beta.threads.create", {"nothing": 1}, "no field 'nothing': it has created_at, id"),
        ("beta.threads.retrieve", {"object_": 1}, "did you mean 'object'"),
        ("beta.assistants.list", {"rows": []}, "no field 'rows': it has data"),
        ("beta.assistants.delete", {"delete": True}, "did you mean 'deleted'"),
        ("beta.threads.create", "a text", "answers with fields, not with a text"),
        ("embeddings.create", "a text", "answers with fields, not with a text"),
        ("files.content", {"a": 1}, "answers with bytes or a text"),
    ],
    ids=str,
)
def test_a_misspelled_field_is_an_error_that_names_it(
    sync_client: Any, mock_openai: OpenAIMock, route: str, answer: Any, message: str
) -> None:
    target: Any = mock_openai
    for name in route.split("."):
        target = getattr(target, name)
    target.response = answer
    requests: dict[str, Any] = {
        "chat.completions.create": lambda: sync_client.chat.completions.create(model="m", messages=[]),
        "responses.create": lambda: sync_client.responses.create(model="m", input="Hi"),
        "beta.threads.create": sync_client.beta.threads.create,
        "beta.threads.retrieve": lambda: sync_client.beta.threads.retrieve("thread_1"),
        "beta.assistants.list": sync_client.beta.assistants.list,
        "beta.assistants.delete": lambda: sync_client.beta.assistants.delete("asst_1"),
        "embeddings.create": lambda: sync_client.embeddings.create(model="m", input="Hi"),
        "files.content": lambda: sync_client.files.content("file-1"),
    }
    with pytest.raises((TypeError, openai.APIConnectionError)) as caught:
        requests[route]()
    assert message in f"{caught.value} {caught.value.__cause__}"


def test_fields_of_other_providers_are_kept(sync_client: Any, mock_openai: OpenAIMock) -> None:
    mock_openai.chat.completions.create.response = {"citations": ["a"], "choices": []}
    answer = sync_client.chat.completions.create(model="m", messages=[])
    assert answer.to_dict()["citations"] == ["a"]


def test_bytes_are_the_content_of_a_file(sync_client: Any, mock_openai: OpenAIMock) -> None:
    mock_openai.files.content.response = b"\x00\xff"
    assert sync_client.files.content("file-1").content == b"\x00\xff"
    mock_openai.files.content.response = "text"
    assert sync_client.files.content("file-1").text == "text"
    with pytest.raises(TypeError, match="not b'x'"):
        mock_openai.files.list.response = b"x"


def test_an_upload_without_a_file_is_refused(sync_client: Any, mock_openai: OpenAIMock) -> None:
    with pytest.raises(openai.BadRequestError, match="'file' is a required property"):
        sync_client.post("/files", body={"purpose": "batch"}, cast_to=object)


# Answers in turn


def test_answers_are_given_in_turn(sync_client: Any, mock_openai: OpenAIMock) -> None:
    route = mock_openai.chat.completions.create
    route.responses = ["one", MockError("busy", status=500), {"choices": []}]
    ask = lambda: sync_client.chat.completions.create(model="m", messages=[])  # noqa: E731
    assert ask().choices[0].message.content == "one"
    with pytest.raises(openai.InternalServerError, match="busy"):
        ask()
    assert ask().choices == []
    with pytest.raises(openai.BadRequestError, match="has 3 answers, but this is request 4"):
        ask()


def test_answers_that_nobody_asked_for_are_an_error_at_the_end() -> None:
    client = CLIENTS["sync"]()
    message = r"2 of 3 answers in mock\.embeddings\.create\.responses were never asked for"

    def run() -> None:
        with OpenAIMock() as mock:
            mock.embeddings.create.responses = [{"data": [[1.0]]}] * 3
            assert client.embeddings.create(model="m", input="Hi").data[0].embedding == [1.0]

    with pytest.raises(AssertionError, match=message):
        run()


def test_an_error_of_the_test_is_not_hidden_by_answers_that_are_left() -> None:
    def run() -> None:
        with OpenAIMock() as mock:
            mock.embeddings.create.responses = [{}]
            _ = 1 / 0

    with pytest.raises(ZeroDivisionError):
        run()


@pytest.mark.parametrize("wrong", ["one", {"choices": []}, b"x"], ids=["text", "dict", "bytes"])
def test_one_answer_is_not_a_list_of_answers(mock_openai: OpenAIMock, wrong: Any) -> None:
    with pytest.raises(TypeError, match="is a list of answers, not one: set response instead"):
        mock_openai.chat.completions.create.responses = wrong
    with pytest.raises(TypeError, match=r"mock\.chat\.completions\.create\.responses\[1\] is a string"):
        mock_openai.chat.completions.create.responses = ["one", 2]


# Answers that depend only on the request


def test_the_same_text_has_the_same_embedding(sync_client: Any, mock_openai: OpenAIMock) -> None:
    answer = sync_client.embeddings.create(model="m", input=["cat", "dog", "cat"], dimensions=16)
    first, second, third = (each.embedding for each in answer.data)
    assert first == third != second
    assert len(first) == 16
    assert sum(number * number for number in first) == 1
    assert struct.unpack("<16f", struct.pack("<16f", *first)) == tuple(first)


def test_moderations_fill_the_categories_that_a_test_omits(sync_client: Any, mock_openai: OpenAIMock) -> None:
    assert not sync_client.moderations.create(input="Hi").results[0].flagged
    mock_openai.moderations.create.response = {"results": [{"categories": {"violence/graphic": True}}]}
    (result,) = sync_client.moderations.create(input="Hi").results
    assert (result.flagged, result.categories.violence_graphic, result.categories.hate) == (True, True, False)


async def test_images_are_streamed(client: Any, mock_openai: OpenAIMock) -> None:
    events = await collect(
        client.images.generate(prompt="A cat", model="gpt-image-1", stream=True, partial_images=2)
    )
    names = [event.type for event in events]
    assert names == ["image_generation.partial_image"] * 2 + ["image_generation.completed"]
    for event in events:
        assert_complete(event)


async def test_a_response_is_streamed_again_after_an_event(client: Any, mock_openai: OpenAIMock) -> None:
    mock_openai.responses.create.response = "Hello big world"
    created = await wait(client.responses.create(model="m", input="Hi"))
    everything = await collect(client.responses.retrieve(created.id, stream=True))
    later = await collect(client.responses.retrieve(created.id, stream=True, starting_after=4))
    numbers = [event.sequence_number for event in everything]
    assert numbers == list(range(len(numbers)))
    assert [event.sequence_number for event in later] == numbers[5:]
    assert everything[-1].response.output_text == "Hello big world"


def test_a_stream_begins_after_a_number_only(sync_client: Any, mock_openai: OpenAIMock) -> None:
    mock_openai.responses.create.response = "Hello"
    response = sync_client.responses.create(model="m", input="Hi")
    with pytest.raises(openai.BadRequestError, match="expected an integer, but got 'x'"):
        sync_client.responses.retrieve(response.id, stream=True, starting_after="x")


def test_a_response_repeats_what_its_request_says(sync_client: Any, mock_openai: OpenAIMock) -> None:
    mock_openai.responses.create.response = "Hello"
    request = {
        "background": True,
        "max_output_tokens": 50,
        "metadata": {"a": "b"},
        "previous_response_id": "resp_0",
        "reasoning": {"effort": "low"},
        "temperature": 0.5,
        "top_p": 0.1,
        "truncation": "auto",
        "user": "u",
    }
    plain = sync_client.responses.create(model="m", input="Hi", **request)
    assert {name: plain.to_dict()[name] for name in request} == request
    stream = sync_client.responses.create(model="m", input="Hi", stream=True, **request)
    for event in stream:
        if hasattr(event, "response"):
            assert {name: event.response.to_dict()[name] for name in request} == request
    assert "temperature" not in sync_client.responses.create(model="m", input="Hi").to_dict()


def test_a_background_stream_of_the_mock_that_breaks_is_resumed(mock_openai: OpenAIMock) -> None:
    with Client(api_key="none") as client:
        for sent in range(1, 8):
            mock_openai.responses.create.response = StreamedAnswer("one two", fail_after=sent)
            stream = client.responses.stream(model="m", input="Hi", background=True)
            assert stream.get_final_response().output_text == "one two"
            assert mock_openai.responses.retrieve.call_count == sent


async def test_a_response_is_kept_unless_the_request_says_otherwise(
    client: Any, mock_openai: OpenAIMock
) -> None:
    mock_openai.responses.create.response = "Hello"
    kept = await wait(client.responses.create(model="m", input="Hi"))
    other = await wait(client.responses.create(model="m", input="Hi", store=False))
    assert (await wait(client.responses.retrieve(kept.id))).output_text == "Hello"
    with pytest.raises(openai.NotFoundError, match="not found"):
        await wait(client.responses.retrieve(other.id))
    assert (await wait(client.responses.cancel(kept.id))).status == "cancelled"
    await wait(client.responses.delete(kept.id))
    with pytest.raises(openai.NotFoundError):
        await wait(client.responses.retrieve(kept.id))


def test_type_checkers_know_the_routes_that_there_are(mock_openai: OpenAIMock) -> None:
    def names(resource: type, prefix: str) -> set[str]:
        found: set[str] = set()
        hints: dict[str, Any] = {}
        for cls in reversed(resource.__mro__[:-1]):
            hints |= dict(vars(cls).get("__annotations__", {}).items())
        module = __import__("ssejet.testing._openai_routes", fromlist=["x"])
        for name, hint in hints.items():
            if hint == "Route":
                found.add(f"{prefix}{name}")
            elif hasattr(module, hint):
                found |= names(getattr(module, hint), f"{prefix}{name}.")
        return found

    known = names(OpenAIMock, "")
    assert names(Beta, "beta.") < known
    assert known - {"beta.chat.completions.create"} == {endpoint.name for endpoint in OPENAI_ENDPOINTS}
    assert mock_openai.beta.chat.completions.create is mock_openai.chat.completions.create
