"""Answers requests for the JavaScript module, for every framework."""

from __future__ import annotations

from functools import cache
from hashlib import sha256
from importlib.resources import files
from typing import NamedTuple

from ssejet._core import __version__

__all__ = ["Answer", "answer"]


class Answer(NamedTuple):
    """A response."""

    status: int
    headers: dict[str, str]
    body: bytes


@cache
def _module() -> tuple[bytes, str]:
    body = files("ssejet").joinpath("js", "ssejet.js").read_bytes()
    return body, f'"{sha256(body).hexdigest()[:32]}"'


def answer(*, if_none_match: str | None, version: str | None) -> Answer:
    """Answer a GET.

    Args:
        if_none_match: the header ``If-None-Match``.
        version: the query parameter ``v``. A URL with the version of this package never changes what it
            gives, so browsers may keep it.
    """
    body, etag = _module()
    headers = {
        "Content-Type": "text/javascript; charset=utf-8",
        "Cache-Control": "public, max-age=31536000, immutable" if version == __version__ else "no-cache",
        "ETag": etag,
        "X-Content-Type-Options": "nosniff",
    }
    if _matches(if_none_match, etag):
        del headers["Content-Type"]
        return Answer(304, headers, b"")
    return Answer(200, headers, body)


def _matches(if_none_match: str | None, etag: str) -> bool:
    # A proxy that compresses makes the tag weak.
    tags = [tag.strip().removeprefix("W/") for tag in (if_none_match or "").split(",")]
    return etag in tags or "*" in tags
