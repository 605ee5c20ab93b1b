"""``client.messages``, against a server on the loopback interface."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import msgspec
import pytest
from messages_server import EVENTS, MESSAGE, async_call, events_response, serve, sync_call
from pydantic import BaseModel, Field, ValidationError
from starlette.responses import JSONResponse

from ssejet import (
    APIError,
    APIStatusError,
    AsyncClient,
    Client,
    InvalidJSONError,
    LengthFinishReasonError,
    TruncatedStreamError,
)
from ssejet.messages import Message, MessageMetrics, ParsedMessage

if TYPE_CHECKING:
    from collections.abc import Iterator

    from messages_server import Server

KEY = "sk-ant-a-secret-of-some-length"
REQUEST: dict[str, Any] = {"model": "m", "max_tokens": 10, "messages": [{"role": "user", "content": "Hi!"}]}


class City(BaseModel):
    """A city."""

    city: str = Field(min_length=1)
    size: int = 0


class Weather(msgspec.Struct):
    """Tell the weather."""

    city: str


@pytest.fixture(scope="module")
def module_server() -> Iterator[Server]:
    yield from serve()


@pytest.fixture
def server(module_server: Server, monkeypatch: pytest.MonkeyPatch) -> Server:
    for name in ("ANTHROPIC_API_KEY", "ANTHROPIC_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    module_server.asked.clear()
    module_server.replies.clear()
    return module_server


@pytest.fixture(params=["sync", "asyncio", "trio"])
def call(request: pytest.FixtureRequest, server: Server) -> Any:
    """Calls a method of a client with each client: gives what it gives."""

    def run(method: str, *, options: Any = None, **params: Any) -> Any:
        def make(cls: Any) -> Any:
            return cls(**{"api_key": KEY, "base_url": server.url, "max_retries": 0, **(options or {})})

        def use(client: Any) -> Any:
            return getattr(client.messages, method)(**REQUEST, **params)

        if request.param == "sync":
            return sync_call(make, use)
        return async_call(request.param, make, use)

    return run


@pytest.fixture(params=["sync", "asyncio", "trio"])
def follow(request: pytest.FixtureRequest, server: Server) -> Any:
    """Reads a stream with each client: gives the stream and the final message."""

    def run(*, options: Any = None, **params: Any) -> Any:
        def make(cls: Any) -> Any:
            return cls(**{"api_key": KEY, "base_url": server.url, "max_retries": 0, **(options or {})})

        def read(client: Client) -> Any:
            with client.messages.stream(**REQUEST, **params) as stream:
                return stream, stream.get_final_message()

        async def aread(client: AsyncClient) -> Any:
            async with client.messages.stream(**REQUEST, **params) as stream:
                return stream, await stream.get_final_message()

        return sync_call(make, read) if request.param == "sync" else async_call(request.param, make, aread)

    return run


def test_a_message_is_created(call: Any, server: Server) -> None:
    message = call("create", system="Be brief.", temperature=0, top_k=None)
    assert isinstance(message, Message)
    assert (message.text, message.stop_reason, message.usage.output_tokens) == (
        '{"city": "Paris"}',
        "end_turn",
        2,
    )
    assert message.to_dict() == MESSAGE
    assert server.asked[0].body == {**REQUEST, "stream": False, "system": "Be brief.", "temperature": 0}


def test_a_message_is_streamed(follow: Any, server: Server) -> None:
    stream, message = follow()
    assert isinstance(message, ParsedMessage)
    assert (message.text, message.usage.input_tokens, message.usage.output_tokens) == (
        '{"city": "Paris"}',
        3,
        9,
    )
    assert isinstance(stream.metrics, MessageMetrics)
    assert (stream.metrics.finished, stream.metrics.chunks, stream.metrics.tokens) == (True, 2, 9)
    assert server.asked[0].body["stream"] is True


def test_a_raw_stream_has_the_events_of_the_server(server: Server) -> None:
    with (
        Client(api_key=KEY, base_url=server.url) as client,
        client.messages.create(**REQUEST, stream=True) as stream,
    ):
        assert [event.type for event in stream] == [event["type"] for event in EVENTS]


class TestRequest:
    @pytest.mark.parametrize("base", ["", "/v1", "/v1/", "/api/anthropic", "/openai/v1"])
    def test_a_request_goes_below_the_version_whether_the_url_has_it_or_not(
        self, base: str, call: Any, server: Server
    ) -> None:
        call("create", options={"base_url": server.url + base})
        expected = {
            "": "",
            "/v1": "",
            "/v1/": "",
            "/api/anthropic": "/api/anthropic",
            "/openai/v1": "/openai",
        }
        assert server.asked[0].path == f"{expected[base]}/v1/messages"

    def test_a_request_has_the_key_in_both_forms_for_an_unknown_server(
        self, call: Any, server: Server
    ) -> None:
        call("create")
        headers = server.asked[0].headers
        assert headers["x-api-key"] == KEY
        assert headers["authorization"] == f"Bearer {KEY}"
        assert headers["anthropic-version"] == "2023-06-01"

    def test_a_request_has_no_key_if_there_is_none(self, call: Any, server: Server) -> None:
        call("create", options={"api_key": ""})
        assert not {"x-api-key", "authorization"} & server.asked[0].headers.keys()

    def test_a_request_has_headers_of_the_caller_in_place_of_its_own(self, call: Any, server: Server) -> None:
        call("create", extra_headers={"anthropic-version": "2099-01-01", "X-API-Key": "other"})
        headers = server.asked[0].headers
        assert (headers["anthropic-version"], headers["x-api-key"]) == ("2099-01-01", "other")

    def test_a_request_names_beta_features_in_a_header(self, call: Any, server: Server) -> None:
        call("create", betas=["a-1", "b-2"], extra_headers={"Anthropic-Beta": "c-3"})
        assert server.asked[0].headers["anthropic-beta"] == "c-3,a-1,b-2"
        assert "betas" not in server.asked[0].body

    def test_a_request_takes_types_as_tools(self, call: Any, server: Server) -> None:
        call("create", tools=[Weather, {"name": "now", "input_schema": {"type": "object"}}])
        weather, now = server.asked[0].body["tools"]
        assert weather["name"] == "Weather"
        assert weather["description"] == "Tell the weather."
        assert weather["input_schema"]["required"] == ["city"]
        assert now == {"name": "now", "input_schema": {"type": "object"}}

    def test_a_request_refuses_tools_of_chat_completions(self, server: Server) -> None:
        tool = {"type": "function", "function": {"name": "f"}}
        with (
            Client(api_key=KEY, base_url=server.url) as client,
            pytest.raises(TypeError, match="from_chat"),
        ):
            client.messages.create(**REQUEST, tools=[tool])

    def test_a_request_takes_messages_of_ours_and_of_anthropics(self, server: Server) -> None:
        with Client(api_key=KEY, base_url=server.url) as client:
            said = client.messages.create(**REQUEST)
            streamed = client.messages.stream(**REQUEST).get_final_message()
            conversation = [*REQUEST["messages"], said, REQUEST["messages"][0], streamed]
            client.messages.create(model="m", max_tokens=10, messages=conversation)
        sent = server.asked[-1].body["messages"]
        param = {"role": "assistant", "content": [{"type": "text", "text": '{"city": "Paris"}'}]}
        assert sent == [REQUEST["messages"][0], param, REQUEST["messages"][0], param]

    def test_a_request_does_not_go_to_openais_server(self) -> None:
        with (
            Client(api_key=KEY) as client,
            pytest.raises(ValueError, match="OpenAI's server has no Messages API"),
        ):
            client.messages.create(**REQUEST)


class TestParsing:
    def test_parsing_a_stream_gives_an_object_of_the_type(self, follow: Any, server: Server) -> None:
        _, message = follow(output_format=City, output_config={"effort": "low"})
        assert message.parsed_output == City(city="Paris")
        assert server.asked[0].body["output_config"] == {
            "effort": "low",
            "format": {
                "type": "json_schema",
                "schema": {
                    "type": "object",
                    "title": "City",
                    "description": "A city.",
                    "properties": {
                        "city": {"type": "string", "title": "City", "description": "{minLength: 1}"},
                        "size": {"type": "integer", "title": "Size"},
                    },
                    "required": ["city"],
                    "additionalProperties": False,
                },
            },
        }
        assert "output_format" not in server.asked[0].body

    def test_parsing_a_message_gives_an_object_of_the_type(self, call: Any) -> None:
        message = call("parse", output_format=Weather)
        assert message.parsed_output == Weather(city="Paris")
        assert isinstance(message, ParsedMessage)

    def test_parsing_of_another_type_raises_its_librarys_error(self, call: Any, server: Server) -> None:
        server.replies.append(JSONResponse({**MESSAGE, "content": [{"type": "text", "text": "{}"}]}))
        with pytest.raises(ValidationError):
            call("parse", output_format=City)

    def test_parsing_of_a_message_that_was_cut_short_raises(self, call: Any, server: Server) -> None:
        server.replies.append(JSONResponse({**MESSAGE, "stop_reason": "max_tokens"}))
        with pytest.raises(LengthFinishReasonError) as raised:
            call("parse", output_format=City)
        assert raised.value.completion.text == '{"city": "Paris"}'

    def test_parsing_needs_one_format(self, server: Server) -> None:
        with (
            Client(api_key=KEY, base_url=server.url) as client,
            pytest.raises(ValueError, match="both give a format"),
        ):
            client.messages.parse(
                **REQUEST, output_format=City, output_config={"format": {"type": "json_schema"}}
            )


class TestErrors:
    OVERLOADED: ClassVar[dict[str, Any]] = {
        "type": "error",
        "error": {"type": "overloaded_error", "message": "Overloaded"},
    }

    def test_errors_of_the_status_name_the_request(self, call: Any, server: Server) -> None:
        server.replies.append(JSONResponse(self.OVERLOADED, 529, {"request-id": "req_1"}))
        with pytest.raises(APIStatusError, match="HTTP status 529: Overloaded") as raised:
            call("create")
        error = raised.value
        assert (error.status_code, error.type, error.request_id, error.retryable) == (
            529,
            "overloaded_error",
            "req_1",
            True,
        )

    def test_errors_show_no_key(self, call: Any, server: Server) -> None:
        body = {
            "type": "error",
            "error": {"type": "authentication_error", "message": f"invalid x-api-key: {KEY}"},
        }
        server.replies.append(JSONResponse(body, 401))
        with pytest.raises(APIStatusError) as raised:
            call("create")
        assert KEY not in f"{raised.value} {raised.value.body}"
        assert "***" in str(raised.value)

    def test_errors_in_a_stream_keep_what_came_before(self, follow: Any, server: Server) -> None:
        server.replies.append(events_response([*EVENTS[:3], self.OVERLOADED]))
        with pytest.raises(APIError, match="Overloaded") as raised:
            follow()
        assert raised.value.partial.text == '{"city": '

    def test_errors_before_the_first_event_are_retried(
        self, follow: Any, server: Server, waits: list[float]
    ) -> None:
        server.replies += [
            JSONResponse(self.OVERLOADED, 529, {"retry-after": "3"}),
            events_response([self.OVERLOADED]),
        ]
        stream, message = follow(options={"max_retries": 2})
        assert message.text == '{"city": "Paris"}'
        assert (stream.metrics.reconnections, len(server.asked), waits[0]) == (2, 3, 3)

    def test_errors_of_a_stream_without_its_end_name_message_stop(self, follow: Any, server: Server) -> None:
        server.replies.append(events_response(EVENTS[:-1]))
        with pytest.raises(TruncatedStreamError, match="before message_stop") as raised:
            follow()
        assert raised.value.partial.stop_reason == "end_turn"

    def test_errors_of_a_stream_without_its_end_may_be_unwanted(self, follow: Any, server: Server) -> None:
        server.replies.append(events_response(EVENTS[:-1]))
        _, message = follow(options={"require_done": False})
        assert message.stop_reason == "end_turn"

    def test_errors_of_other_json_say_so(self, call: Any, server: Server) -> None:
        server.replies.append(JSONResponse({"hello": "there"}))
        with pytest.raises(InvalidJSONError, match="not an answer of messages"):
            call("create")


def test_a_key_of_anthropic_is_not_sent_to_openai_and_the_other_way_round(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-openai-key")
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-ant-key-1234")

    def key(client: Client) -> str:
        return client._settings.api_key

    assert key(Client(base_url="https://api.anthropic.com")) == "sk-ant-key-1234"
    assert key(Client(base_url="https://api.anthropic.com/v1")) == "sk-ant-key-1234"
    assert key(Client()) == "sk-openai-key"
    assert key(Client(base_url="https://api.anthropic.com.evil.example")) == "sk-openai-key"


@pytest.mark.parametrize("backend", ["sync", "asyncio", "trio"])
def test_a_key_does_not_follow_a_redirect_to_another_origin(server: Server, backend: str) -> None:
    for elsewhere in serve():
        location = {"location": f"{elsewhere.url}/v1/messages"}
        server.replies.append(JSONResponse({}, 307, location))

        def make(cls: Any) -> Any:
            return cls(api_key=KEY, base_url=server.url, default_headers={"X-Goog-Api-Key": KEY})

        def use(client: Any) -> Any:
            return client.messages.create(**REQUEST)

        message = sync_call(make, use) if backend == "sync" else async_call(backend, make, use)
        assert message.text == '{"city": "Paris"}'
        (asked,) = elsewhere.asked
        assert asked.body == server.asked[0].body
        assert KEY not in str(asked.headers)
        # To the same origin it does.
        server.replies.append(JSONResponse({}, 308, {"location": "/elsewhere/v1/messages"}))
        sync_call(make, use)
        assert [each.headers["x-api-key"] for each in server.asked[-2:]] == [KEY, KEY]
