"""The JavaScript module, as the helpers for Starlette and Flask serve it."""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING

import flask
import httpx
import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

import ssejet
from ssejet.emit import flask as emit_flask
from ssejet.emit.starlette import browser_module

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@pytest.fixture(params=["starlette", "flask"])
def get_module(request: pytest.FixtureRequest) -> Iterator[Callable[..., httpx.Response]]:
    if request.param == "starlette":
        app = Starlette()
        app.add_route("/ssejet.js", browser_module)
        client: httpx.Client = TestClient(app)
    else:
        site = flask.Flask("test")
        site.add_url_rule("/ssejet.js", view_func=emit_flask.browser_module)
        client = httpx.Client(transport=httpx.WSGITransport(site), base_url="http://test")
    with client:
        yield lambda query="", **headers: client.get(f"/ssejet.js{query}", headers=headers)


def test_the_module_is_served_with_what_browsers_need(get_module: Callable[..., httpx.Response]) -> None:
    response = get_module()
    assert response.content == files("ssejet").joinpath("js", "ssejet.js").read_bytes()
    assert response.headers["content-type"] == "text/javascript; charset=utf-8"
    assert response.headers["cache-control"] == "no-cache"
    etag = response.headers["etag"]
    for known in (etag, f'"x", W/{etag}', "*"):
        again = get_module(**{"if-none-match": known})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", etag)
    assert get_module(**{"if-none-match": '"x"'}).status_code == 200
    kept = get_module(f"?v={ssejet.__version__}")
    assert kept.headers["cache-control"] == "public, max-age=31536000, immutable"
    # While a deploy goes on, an old server may get the URL of a new page.
    assert get_module("?v=0.0.0").headers["cache-control"] == "no-cache"
