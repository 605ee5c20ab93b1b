"""Clients of openai for the tests of the mocks: sync and async, with either HTTP library, also for Azure."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

import httpx
import httpx2
import openai

from ssejet.swap.openai import accelerate

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["CLIENTS", "assert_complete", "close", "collect", "wait"]

_OPTIONS: dict[str, Any] = {"api_key": "sk-test", "max_retries": 0}
_AZURE = _OPTIONS | {
    "azure_endpoint": "https://example.openai.azure.com",
    "api_version": "2025-04-01-preview",
}

CLIENTS: dict[str, Callable[[], Any]] = {
    "sync": lambda: openai.OpenAI(**_OPTIONS),
    "async": lambda: openai.AsyncOpenAI(**_OPTIONS),
    "sync httpx": lambda: openai.OpenAI(**_OPTIONS, http_client=httpx.Client()),
    "async httpx": lambda: openai.AsyncOpenAI(**_OPTIONS, http_client=httpx.AsyncClient()),
    "sync swapped": lambda: accelerate(openai.OpenAI(**_OPTIONS)),
    "async swapped": lambda: accelerate(openai.AsyncOpenAI(**_OPTIONS)),
    "sync azure": lambda: openai.AzureOpenAI(**_AZURE),
    "async azure": lambda: openai.AsyncAzureOpenAI(**_AZURE),
}
if int(openai.__version__.partition(".")[0]) >= 3:
    CLIENTS["sync httpx2"] = lambda: openai.OpenAI(**_OPTIONS, http_client=httpx2.Client())
    CLIENTS["async httpx2"] = lambda: openai.AsyncOpenAI(**_OPTIONS, http_client=httpx2.AsyncClient())


async def wait(result: Any) -> Any:
    """What a method of a sync or an async client returns."""
    return await result if inspect.isawaitable(result) else result


async def collect(items: Any) -> list[Any]:
    """All items of a stream or a list, sync or async."""
    items = await wait(items)
    return [item async for item in items] if hasattr(items, "__aiter__") else list(items)


async def close(client: Any) -> None:
    """Close a sync or an async client."""
    await wait(client.close())


def assert_complete(value: Any) -> None:
    """Check that all required fields of a model of openai's are set, and have the right types."""
    for model in _models(value):
        missing = {
            name
            for name, field in type(model).model_fields.items()
            if field.is_required() and name not in model.model_fields_set
        }
        assert not missing, f"{type(model).__name__} lacks {missing}: {model!r:.300}"
    if hasattr(value, "to_dict"):
        type(value).model_validate(value.to_dict())


def _models(value: Any) -> list[Any]:
    if isinstance(value, openai.BaseModel):
        found = [value]
        for member in vars(value).values():
            found += _models(member)
        return found
    if isinstance(value, (list, tuple)):
        return [model for member in value for model in _models(member)]
    return []
