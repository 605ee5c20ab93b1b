"""``Client.for_provider``: URLs, keys and what providers do differently."""

from __future__ import annotations

import inspect
import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import pytest
from messages_server import async_call, serve, sync_call
from providers_page import PACKAGES, PAGE, WITH_MESSAGES, page

from ssejet import APIStatusError, AsyncClient, Client
from ssejet.client._providers import PROVIDERS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from messages_server import Server

KEY = "sk-a-secret-of-some-length"
MESSAGES = [{"role": "user", "content": "Hi!"}]
VARIABLES = {
    each for provider in PROVIDERS.values() for each in (provider.key_variable, provider.url_variable)
}
LOCAL = [name for name, provider in PROVIDERS.items() if not provider.needs_key]
REMOTE = [name for name, provider in PROVIDERS.items() if provider.needs_key]


@pytest.fixture(scope="module")
def module_server() -> Iterator[Server]:
    yield from serve()


@pytest.fixture
def server(module_server: Server) -> Server:
    module_server.asked.clear()
    module_server.refuses = frozenset()
    return module_server


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in filter(None, VARIABLES):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def at_server(server: Server, monkeypatch: pytest.MonkeyPatch) -> Server:
    """The server, in the place of every provider's."""
    moved = {}
    for name, provider in PROVIDERS.items():
        path = re.sub(r"https?://[^/]+", "", provider.base_url or "/openai/v1")
        messages = re.sub(r"https?://[^/]+", server.url, provider.messages_url)
        moved[name] = replace(provider, base_url=server.url + path, messages_url=messages)
    # The table itself is a dict, so that the URL of OpenAI's own server is still known.
    monkeypatch.setattr("ssejet.client._providers.PROVIDERS", moved)
    return server


@pytest.fixture(params=["sync", "asyncio", "trio"])
def ask(request: pytest.FixtureRequest) -> Any:
    """Calls a method of a provider's client, with each client."""

    def run(provider: str, method: str, *, options: Any = None, **params: Any) -> Any:
        def make(cls: Any) -> Any:
            return cls.for_provider(provider, **{"api_key": KEY, "max_retries": 0, **(options or {})})

        def use(client: Any) -> Any:
            resource = client.messages if method == "messages" else client.chat.completions
            return resource.create(model="m", messages=MESSAGES, **params)

        return sync_call(make, use) if request.param == "sync" else async_call(request.param, make, use)

    return run


class TestKey:
    @pytest.mark.parametrize("name", REMOTE)
    def test_the_key_comes_from_the_providers_variable(
        self, name: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv(PROVIDERS[name].key_variable, f"{KEY}\n")
        base = {"base_url": "https://a.example/v1"} if name == "azure" else {}
        for cls in (Client, AsyncClient):
            assert cls.for_provider(name, **base)._settings.api_key == KEY

    @pytest.mark.parametrize("name", REMOTE)
    def test_the_key_that_is_missing_is_an_error_that_names_the_variable(self, name: str) -> None:
        variable = PROVIDERS[name].key_variable
        with pytest.raises(ValueError, match=f"no API key for {name}: pass api_key, or set {variable}"):
            Client.for_provider(name, base_url="https://a.example/v1")

    @pytest.mark.parametrize("name", LOCAL)
    def test_the_key_of_a_local_server_may_be_missing(
        self, name: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("OPENAI_API_KEY", "sk-of-openai")
        assert Client.for_provider(name)._settings.api_key == ""
        monkeypatch.setenv(PROVIDERS[name].key_variable, KEY)
        assert Client.for_provider(name)._settings.api_key == KEY

    def test_the_key_of_openai_goes_to_no_other_provider(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("OPENAI_API_KEY", "sk-of-openai")
        with pytest.raises(ValueError, match="DEEPSEEK_API_KEY"):
            Client.for_provider("deepseek")


class TestURL:
    @pytest.mark.parametrize("name", [name for name in PROVIDERS if name != "azure"])
    def test_the_url_is_the_providers(self, name: str) -> None:
        assert Client.for_provider(name, api_key=KEY).base_url == PROVIDERS[name].base_url

    @pytest.mark.parametrize(
        ("name", "variable", "value", "expected"),
        [
            ("anthropic", "ANTHROPIC_BASE_URL", "http://a.example/", "http://a.example/v1"),
            ("anthropic", "ANTHROPIC_BASE_URL", "http://a.example/v1", "http://a.example/v1"),
            ("openai", "OPENAI_BASE_URL", "http://a.example/v1", "http://a.example/v1"),
            (
                "azure",
                "AZURE_OPENAI_ENDPOINT",
                "https://me.openai.azure.com/",
                "https://me.openai.azure.com/openai/v1",
            ),
        ],
        ids=["anthropic", "anthropic-v1", "openai", "azure"],
    )
    def test_the_url_may_come_from_a_variable(
        self, name: str, variable: str, value: str, expected: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv(variable, value)
        assert Client.for_provider(name, api_key=KEY).base_url == expected

    @pytest.mark.parametrize("empty", [None, "", " ", "\n"])
    def test_the_url_of_the_caller_that_is_empty_does_not_send_the_key_to_another_provider(
        self, empty: str | None
    ) -> None:
        client = Client.for_provider("deepseek", api_key=KEY, base_url=empty)
        assert client.base_url == "https://api.deepseek.com"

    def test_the_url_of_azure_must_be_given(self) -> None:
        with pytest.raises(ValueError, match="pass base_url, or set AZURE_OPENAI_ENDPOINT"):
            Client.for_provider("azure", api_key=KEY)

    def test_the_url_of_the_caller_replaces_it_for_messages_too(self, ask: Any, server: Server) -> None:
        ask("deepseek", "messages", options={"base_url": server.url}, max_tokens=10)
        assert server.asked[0].path == "/v1/messages"


class TestName:
    def test_the_name_of_a_provider_that_is_unknown_is_an_error_that_lists_all(self) -> None:
        with pytest.raises(
            ValueError, match="no provider has the name 'openia'; the names are anthropic, azure,"
        ):
            Client.for_provider("openia")

    @pytest.mark.parametrize("name", ["", " ", "-"])
    def test_the_name_of_a_provider_that_is_empty_is_an_error_that_lists_all(self, name: str) -> None:
        with pytest.raises(ValueError, match=f"no provider has the name '{name}'; the names are anthropic"):
            Client.for_provider(name)

    @pytest.mark.parametrize("name", [None, 1, b"openai", ["openai"], PROVIDERS["openai"]])
    def test_the_name_of_a_provider_must_be_a_string(self, name: Any) -> None:
        with pytest.raises(TypeError, match=f"must be a str, such as 'openai', not {type(name).__name__}"):
            Client.for_provider(name)

    @pytest.mark.parametrize("name", ["Ollama", "OLLAMA", " ollama\n"])
    def test_the_name_of_a_provider_may_be_in_any_case(self, name: str) -> None:
        assert Client.for_provider(name).base_url == "http://127.0.0.1:11434/v1"

    @pytest.mark.parametrize(
        ("name", "known"),
        [
            ("LM Studio", "lmstudio"),
            ("llama.cpp", "llamacpp"),
            ("Z.AI", "zai"),
            ("open-router", "openrouter"),
        ],
    )
    def test_the_name_of_a_provider_may_be_written_as_the_provider_writes_it(
        self, name: str, known: str
    ) -> None:
        client = Client.for_provider(name, api_key=KEY)
        assert client.base_url == Client.for_provider(known, api_key=KEY).base_url

    def test_the_names_have_no_spaces_and_punctuation(self) -> None:
        assert all(name.isalnum() and name.islower() for name in PROVIDERS)


class TestRequests:
    PATHS: ClassVar[dict[str, Any]] = {
        "anthropic": ("/v1/chat/completions", "/v1/messages"),
        "deepseek": ("/chat/completions", "/anthropic/v1/messages"),
        "fireworks": ("/inference/v1/chat/completions", "/inference/v1/messages"),
        "gemini": ("/v1beta/openai/chat/completions", None),
        "groq": ("/openai/v1/chat/completions", None),
        "llamacpp": ("/v1/chat/completions", "/v1/messages"),
        "lmstudio": ("/v1/chat/completions", "/v1/messages"),
        "moonshot": ("/v1/chat/completions", "/anthropic/v1/messages"),
        "ollama": ("/v1/chat/completions", "/v1/messages"),
        "openrouter": ("/api/v1/chat/completions", "/api/v1/messages"),
        "perplexity": ("/chat/completions", None),
        "qwen": ("/compatible-mode/v1/chat/completions", "/apps/anthropic/v1/messages"),
        "vllm": ("/v1/chat/completions", "/v1/messages"),
        "zai": ("/api/paas/v4/chat/completions", "/api/anthropic/v1/messages"),
        "zhipu": ("/api/paas/v4/chat/completions", "/api/anthropic/v1/messages"),
    }

    @pytest.mark.parametrize("name", PATHS)
    def test_requests_go_to_the_providers_paths(self, name: str, ask: Any, at_server: Server) -> None:
        chat, messages = self.PATHS[name]
        ask(name, "chat")
        assert at_server.asked[-1].path == chat
        assert at_server.asked[-1].headers["authorization"] == f"Bearer {KEY}"
        assert "x-api-key" not in at_server.asked[-1].headers
        if messages is not None:
            ask(name, "messages", max_tokens=10)
            assert at_server.asked[-1].path == messages
            assert at_server.asked[-1].headers["anthropic-version"] == "2023-06-01"

    @pytest.mark.parametrize(
        ("name", "headers"),
        [
            ("anthropic", {"x-api-key"}),
            ("deepseek", {"x-api-key"}),
            ("qwen", {"x-api-key"}),
            ("openrouter", {"authorization"}),
            ("moonshot", {"authorization"}),
            ("vllm", {"authorization"}),
            ("zai", {"authorization"}),
            ("lmstudio", {"authorization", "x-api-key"}),
            ("ollama", {"authorization", "x-api-key"}),
        ],
    )
    def test_requests_to_the_messages_api_have_the_key_where_the_provider_wants_it(
        self, name: str, headers: set[str], ask: Any, at_server: Server
    ) -> None:
        ask(name, "messages", max_tokens=10)
        assert headers == {"authorization", "x-api-key"} & at_server.asked[-1].headers.keys()

    def test_requests_have_the_callers_headers_beside_the_providers(
        self, ask: Any, at_server: Server
    ) -> None:
        ask("openrouter", "chat", options={"default_headers": {"HTTP-Referer": "https://me.example"}})
        assert at_server.asked[-1].headers["http-referer"] == "https://me.example"

    def test_requests_to_mistral_have_no_parameters_that_it_refuses(
        self, ask: Any, at_server: Server
    ) -> None:
        at_server.refuses = frozenset({"stream_options", "max_completion_tokens", "seed"})
        params = {"stream_options": {"include_usage": True}, "max_completion_tokens": 5, "seed": 1}
        ask("mistral", "chat", **params)
        body = at_server.asked[-1].body
        assert (body["max_tokens"], body["random_seed"]) == (5, 1)
        assert not at_server.refuses & body.keys()

    def test_requests_to_others_than_mistral_have_these_parameters(self, ask: Any, at_server: Server) -> None:
        ask("groq", "chat", stream_options={"include_usage": True}, max_completion_tokens=5)
        assert {"stream_options", "max_completion_tokens"} <= at_server.asked[-1].body.keys()

    def test_requests_to_mistral_have_what_extra_body_asks_for_nevertheless(
        self, ask: Any, at_server: Server
    ) -> None:
        at_server.refuses = frozenset({"stream_options"})
        with pytest.raises(APIStatusError, match="HTTP status 422"):
            ask("mistral", "chat", extra_body={"stream_options": {}})


def test_the_documentation_lists_every_provider_with_what_was_verified() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert text == page(text), "run python tests/client/providers_page.py"


def test_the_documentation_says_of_the_messages_api_what_requests_do() -> None:
    for name, (_, path) in TestRequests.PATHS.items():
        assert (path is not None) == (name in WITH_MESSAGES or bool(PROVIDERS[name].messages_url)), name


@pytest.mark.parametrize("name", PACKAGES)
def test_the_url_and_the_variable_are_those_of_the_providers_package(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    module, _, client = PACKAGES[name].rpartition(".")
    made = getattr(pytest.importorskip(module), client)
    monkeypatch.setenv(PROVIDERS[name].key_variable, KEY)
    sdk = made()
    assert KEY in (sdk.api_key, getattr(sdk, "_api_key", None))
    ours = PROVIDERS[name].base_url
    # Their paths may begin with what is the end of our URL.
    theirs = f"{sdk.base_url}".rstrip("/")
    rest = ours.removeprefix(theirs)
    assert ours.startswith(theirs)
    resources = (Path(inspect.getfile(made)).parent / "resources").rglob("*.py")
    assert not rest or any(f'"{rest}/' in path.read_text(encoding="utf-8") for path in resources)
