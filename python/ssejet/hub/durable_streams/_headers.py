"""Reads the values of headers. All of them raise ``RequestError`` for a value that is not allowed."""

from __future__ import annotations

import re
from datetime import datetime
from typing import TYPE_CHECKING

from ssejet.hub.durable_streams._exchange import refuse

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["is_true", "matches_etag", "parse_expiry", "parse_number", "parse_text", "parse_ttl"]

# Numbers must be exact in JavaScript.
_LARGEST = 2**53 - 1

_NUMBER = re.compile(r"[0-9]{1,16}", re.ASCII)
_TTL = re.compile(r"0|[1-9][0-9]{0,9}", re.ASCII)
_TIME = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)", re.ASCII)
_LONGEST_TEXT = 256


def is_true(headers: Mapping[str, str], name: str) -> bool:
    """Whether a header has the value true. Any other value counts as none."""
    return headers.get(name, "").lower() == "true"


def parse_number(headers: Mapping[str, str], name: str) -> int:
    """Read a whole number."""
    text = headers[name]
    if not _NUMBER.fullmatch(text) or int(text) > _LARGEST:
        refuse(400, "invalid-number", f"{name} must be a whole number from 0 to {_LARGEST}")
    return int(text)


def parse_text(headers: Mapping[str, str], name: str) -> str:
    """Read a text that is compared and stored."""
    text = headers[name]
    if not text or len(text) > _LONGEST_TEXT:
        refuse(400, "invalid-header", f"{name} must have 1 to {_LONGEST_TEXT} characters")
    return text


def parse_ttl(text: str) -> int:
    """Read a time to live."""
    if not _TTL.fullmatch(text):
        refuse(
            400,
            "invalid-ttl",
            "Stream-TTL must be a number of seconds below 10000000000, without a sign, point or leading zero",
        )
    return int(text)


def parse_expiry(text: str) -> float:
    """Read a time of RFC 3339 as seconds since 1970."""
    match = _TIME.fullmatch(text)
    try:
        if match is not None:
            zone = "+00:00" if match[2] in "Zz" else match[2]
            return datetime.fromisoformat(text[:19].upper() + zone).timestamp() + float(match[1] or 0)
    except (ValueError, OverflowError):
        pass
    return refuse(400, "invalid-expiry", "Stream-Expires-At must be a time such as 2030-01-31T12:00:00Z")


def matches_etag(header: str, etag: str) -> bool:
    """Whether an ``If-None-Match`` names an entity tag."""
    tags = [tag.strip().removeprefix("W/") for tag in header.split(",")]
    return etag in tags or "*" in tags
