"""Which of a response's iterators is read."""

from __future__ import annotations

import gzip
from typing import Any

import httpx
import httpx2
import pytest

from ssejet import Stream
from ssejet._http.body import iter_chunks

BODY = b'data: "a"\n\n'


def response(http: Any, **options: Any) -> Any:
    def answer(_: Any) -> Any:
        return http.Response(200, **options)

    client = http.Client(transport=http.MockTransport(answer))
    return client.send(client.build_request("GET", "http://memory.invalid"), stream=True)


@pytest.mark.parametrize("http", [httpx, httpx2], ids=lambda http: http.__name__)
class TestResponses:
    def test_responses_that_are_not_compressed_are_read_as_they_come(
        self, http: Any, monkeypatch: Any
    ) -> None:
        plain = response(http, content=iter([BODY]))
        monkeypatch.setattr(http.Response, "iter_bytes", None)
        assert list(iter_chunks(plain)) == [BODY]

    def test_responses_that_are_compressed_are_decompressed(self, http: Any) -> None:
        headers = {"content-encoding": "gzip"}
        compressed = response(http, content=iter([gzip.compress(BODY)]), headers=headers)
        assert b"".join(iter_chunks(compressed)) == BODY

    def test_responses_that_have_been_read_are_read_again(self, http: Any) -> None:
        known = response(http, content=BODY)
        known.read()
        assert list(Stream(known)) == ["a"]
