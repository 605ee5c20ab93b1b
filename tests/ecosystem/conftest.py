from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest
from serving import openai_api, serve

import ssejet

if TYPE_CHECKING:
    from collections.abc import Iterator

# Otherwise LiteLLM asks a server on the internet for prices when it is imported, and warns if it gets none.
os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"


@pytest.fixture
def openai_url() -> Iterator[str]:
    """The base URL of a new server of OpenAI's API. With an old one, connections could outlive their loop."""
    with serve(openai_api) as url:
        yield f"{url}/v1"


@pytest.fixture(scope="session")
def streams_url() -> Iterator[str]:
    """The base URL of a server that sends the stream of the model's name."""
    with serve(openai_api) as url:
        yield f"{url}/v1"


@pytest.fixture(params=[False, True], ids=["stock", "swapped"])
def swapped(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Any]]:
    """Without ssejet and with it; with it, the test has to be served by its driver."""
    driven: list[Any] = []
    if not request.param:
        yield driven
        return
    import ssejet.swap._stainless as sdk

    for name in ("drive", "adrive"):
        stock = getattr(sdk, name)

        def count(*args: Any, stock: Any = stock) -> Any:
            driven.append(args)
            return stock(*args)

        monkeypatch.setattr(sdk, name, count)
    with ssejet.install():
        yield driven
    assert driven, "ssejet had nothing to do"
