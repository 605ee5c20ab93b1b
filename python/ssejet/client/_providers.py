"""Presets for providers: where their API is, how it is given the key, and what it does differently.

docs/providers.md has the same as a table, with what each entry was verified by.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["PROVIDERS", "Provider", "provider_named"]


@dataclass(frozen=True)
class Provider:
    """What is known about a provider.

    Attributes:
        name: its name, as ``for_provider()`` takes it.
        base_url: the URL for OpenAI's endpoints; ``""`` if only ``url_variable`` gives it.
        key_variable: the environment variable of the key; ``""`` if it takes none.
        needs_key: whether it refuses requests without a key. Local servers do not.
        url_variable: the environment variable that replaces the URL; ``""`` if there is none.
        path: what the URL in that variable lacks at its end.
        messages_url: the URL for the Messages API, if it is another one.
        messages_key: the header with the key for the Messages API.
        headers: headers that it needs in each request.
        unsupported: parameters of chat completions to leave out: it refuses them, and does what they ask for
            anyway.
        renamed: parameters of chat completions that have another name there.
    """

    name: str
    base_url: str
    key_variable: str = ""
    needs_key: bool = True
    url_variable: str = ""
    path: str = ""
    messages_url: str = ""
    messages_key: Literal["x-api-key", "authorization", "both"] = "both"
    headers: Mapping[str, str] = field(default_factory=dict)
    unsupported: frozenset[str] = frozenset()
    renamed: Mapping[str, str] = field(default_factory=dict)

    def url(self) -> str:
        """The URL for OpenAI's endpoints.

        Raises:
            ValueError: the provider has no URL of its own, and the variable is not set.
        """
        given = os.environ.get(self.url_variable, "").strip().rstrip("/") if self.url_variable else ""
        if given:
            return given if given.endswith(self.path) else given + self.path
        if not self.base_url:
            raise ValueError(
                f"{self.name} has no URL that is the same for all: pass base_url, or set {self.url_variable} "
                "in the environment"
            )
        return self.base_url

    def key(self) -> str:
        """The key from the environment; ``""`` if there is none, and none is needed.

        Raises:
            ValueError: there is none, but one is needed.
        """
        key = os.environ.get(self.key_variable, "").strip() if self.key_variable else ""
        if not key and self.needs_key:
            raise ValueError(
                f"no API key for {self.name}: pass api_key, or set {self.key_variable} in the environment"
            )
        return key

    def adapt(self, body: dict[str, Any]) -> None:
        """Change the parameters of a chat completion in place to what the provider takes."""
        for name in self.unsupported & body.keys():
            del body[name]
        for name, other in self.renamed.items():
            if name in body:
                body.setdefault(other, body.pop(name))


PROVIDERS: Mapping[str, Provider] = {
    provider.name: provider
    for provider in (
        Provider(
            "anthropic",
            "https://api.anthropic.com/v1",
            "ANTHROPIC_API_KEY",
            url_variable="ANTHROPIC_BASE_URL",
            path="/v1",
            messages_key="x-api-key",
        ),
        Provider(
            "azure", "", "AZURE_OPENAI_API_KEY", url_variable="AZURE_OPENAI_ENDPOINT", path="/openai/v1"
        ),
        Provider("cerebras", "https://api.cerebras.ai/v1", "CEREBRAS_API_KEY"),
        Provider(
            "deepseek",
            "https://api.deepseek.com",
            "DEEPSEEK_API_KEY",
            messages_url="https://api.deepseek.com/anthropic",
            messages_key="x-api-key",
        ),
        Provider("fireworks", "https://api.fireworks.ai/inference/v1", "FIREWORKS_API_KEY"),
        Provider("gemini", "https://generativelanguage.googleapis.com/v1beta/openai", "GEMINI_API_KEY"),
        Provider("groq", "https://api.groq.com/openai/v1", "GROQ_API_KEY"),
        Provider("llamacpp", "http://127.0.0.1:8080/v1", "LLAMA_API_KEY", needs_key=False),
        Provider("lmstudio", "http://127.0.0.1:1234/v1", "LM_API_TOKEN", needs_key=False),
        Provider(
            "mistral",
            "https://api.mistral.ai/v1",
            "MISTRAL_API_KEY",
            # The usage comes without a request for it.
            unsupported=frozenset({"stream_options"}),
            renamed={"max_completion_tokens": "max_tokens", "seed": "random_seed"},
        ),
        Provider(
            "moonshot",
            "https://api.moonshot.ai/v1",
            "MOONSHOT_API_KEY",
            messages_url="https://api.moonshot.ai/anthropic",
            messages_key="authorization",
        ),
        Provider("ollama", "http://127.0.0.1:11434/v1", "OLLAMA_API_KEY", needs_key=False),
        Provider("openai", "https://api.openai.com/v1", "OPENAI_API_KEY", url_variable="OPENAI_BASE_URL"),
        Provider(
            "openrouter",
            "https://openrouter.ai/api/v1",
            "OPENROUTER_API_KEY",
            messages_key="authorization",
        ),
        Provider("perplexity", "https://api.perplexity.ai", "PERPLEXITY_API_KEY"),
        Provider(
            "qwen",
            "https://dashscope-intl.aliyuncs.com/compatible-mode/v1",
            "DASHSCOPE_API_KEY",
            messages_url="https://dashscope-intl.aliyuncs.com/apps/anthropic",
            messages_key="x-api-key",
        ),
        Provider("together", "https://api.together.xyz/v1", "TOGETHER_API_KEY"),
        Provider(
            "vllm",
            "http://127.0.0.1:8000/v1",
            "VLLM_API_KEY",
            needs_key=False,
            messages_key="authorization",
        ),
        Provider("xai", "https://api.x.ai/v1", "XAI_API_KEY"),
        Provider(
            "zai",
            "https://api.z.ai/api/paas/v4",
            "ZAI_API_KEY",
            messages_url="https://api.z.ai/api/anthropic",
            messages_key="authorization",
        ),
        Provider(
            "zhipu",
            "https://open.bigmodel.cn/api/paas/v4",
            "ZHIPUAI_API_KEY",
            messages_url="https://open.bigmodel.cn/api/anthropic",
            messages_key="authorization",
        ),
    )
}
"""The providers, by name."""

_PUNCTUATION = re.compile(r"[\s._-]")


def provider_named(name: str) -> Provider:
    """The provider of a name, in any case, and with or without spaces and punctuation, as in "LM Studio".

    Raises:
        TypeError: the name is not a string.
        ValueError: there is no provider of this name.
    """
    if not isinstance(name, str):
        raise TypeError(
            f"the name of a provider must be a str, such as 'openai', not {type(name).__name__}. For another "
            "server, pass base_url and api_key to the client"
        )
    provider = PROVIDERS.get(_PUNCTUATION.sub("", name).lower())
    if provider is None:
        raise ValueError(
            f"no provider has the name {name!r}; the names are {', '.join(PROVIDERS)}. For another server, "
            "pass base_url and api_key to the client"
        )
    return provider
