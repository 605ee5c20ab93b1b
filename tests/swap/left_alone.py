"""What becomes of a version that ssejet does not know: nothing, but for one warning that names it.

Run by `versions.py`, in an environment that has such a version of the package it names.
"""

from __future__ import annotations

import asyncio
import importlib
import os
import sys
import warnings
from importlib import metadata
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from generated import ALL

import ssejet
from ssejet.swap import UnsupportedVersionWarning

if TYPE_CHECKING:
    from collections.abc import Callable

    from servers import Answer, Server

NAME = os.environ["LEFT_ALONE"]
package: Any = importlib.import_module(NAME)
VERSION = getattr(package, "__version__", None) or metadata.version(NAME)

BODY = b'event: completion\nid: 1\ndata: {"a": 1}\n\nevent: completion\ndata: {"a": 2}\n\n'


GENERATED = {sdk.package: sdk for sdk in ALL}
IS_SDK = NAME in {"openai", "anthropic", *GENERATED}
# Those whose streams have other bodies: only what could have been patched is compared.
IS_READ = NAME not in {"cohere", "google.genai", "mistralai"}


def client(mode: str) -> Any:
    names = {"openai": ("OpenAI", "AsyncOpenAI"), "anthropic": ("Anthropic", "AsyncAnthropic")}
    sdk = GENERATED.get(NAME)
    classes = names[NAME] if sdk is None else sdk.clients
    cls = getattr(package, classes[mode == "async"])
    options = {"api_key": "k"} if sdk is None else sdk.options(cls)
    return cls(max_retries=0, **options)


def read_sdk(answer: Answer, make: Callable[[str], Any]) -> list[Any]:
    request: dict[str, Any] = {"cast_to": object, "stream": True}

    async def read_async() -> list[Any]:
        async with make("async") as sdk:
            stream = await sdk.post(answer.url, stream_cls=package.AsyncStream[object], **request)
            return [item async for item in stream]

    with make("sync") as sdk:
        items = list(sdk.post(answer.url, stream_cls=package.Stream[object], **request))
    return [items, asyncio.run(read_async())]


def read(answer: Answer) -> list[Any]:
    """Read a stream as a user of the package does."""
    if not IS_READ:
        return []
    if IS_SDK:
        return read_sdk(answer, client)
    if NAME == "httpx_sse":
        with httpx.Client() as http, package.connect_sse(http, "GET", answer.url) as source:
            return list(map(repr, source.iter_sse()))
    if NAME == "huggingface_hub":
        return list(map(repr, package.InferenceClient(answer.url).chat_completion([], stream=True)))
    with package.Client() as http, http.stream("GET", answer.url) as response:
        if not hasattr(package, "EventSource"):
            return list(response.iter_lines())
        return list(map(repr, package.EventSource(response)))


def classes() -> dict[Any, dict[str, Any]]:
    """All that could have been patched."""
    found = {
        value
        for name, module in list(sys.modules.items())
        if f"{name}.".startswith(f"{NAME}.")
        for value in vars(module).values()
        # Some values are proxies, which would import what they stand for if they were asked for their class.
        if issubclass(type(value), type) and f"{value.__module__}.".startswith(f"{NAME}.")
    }
    return {cls: {**vars(cls), "__slotnames__": None} for cls in found}


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_it_is_as_it_was_and_one_warning_names_the_version(server: Server) -> None:
    answer = server.answer(BODY)
    expected, before = read(answer), classes()
    assert len(expected) >= 2 or not IS_READ
    assert before
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with ssejet.install() as report, ssejet.install():
            assert NAME in report.left_alone
            assert NAME not in report.patched
            assert {cls: now for cls, now in classes().items() if before.get(cls, now) != now} == {}
            assert read(answer) == expected
    mine = [warning for warning in caught if issubclass(warning.category, UnsupportedVersionWarning)]
    assert len(mine) == 1
    assert f"{NAME} {VERSION}" in str(mine[0].message)
    assert read(answer) == expected


@pytest.mark.skipif(not IS_SDK, reason="it has no such clients")
def test_its_clients_are_given_back_with_a_warning(server: Server) -> None:
    def make(mode: str) -> Any:
        stock = client(mode)
        with pytest.warns(UnsupportedVersionWarning, match=f"leaves {NAME} {VERSION} as it is"):
            assert ssejet.accelerate(stock) is stock
        return stock

    answer = server.answer(BODY)
    assert read_sdk(answer, make) == read_sdk(answer, client)
