"""The requests of event sources, for clients that have no ``build_request()``."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from ssejet._http.headers import names_of, with_default_headers
from ssejet._http.urls import TextURL

if TYPE_CHECKING:
    from collections.abc import Mapping

    from typing_extensions import Self

__all__ = ["ClientAdapter", "RequestToSend"]

_FORM = "application/x-www-form-urlencoded"
_JSON = "application/json"


class ClientAdapter:
    """The base class of the adapters of clients. They have the methods of httpx's that subscriptions use.

    Args:
        client: the client of the library.
    """

    def __init__(self, client: Any) -> None:
        self._client = client


@dataclass
class RequestToSend:
    """A request, as httpx would build it from the same arguments.

    Attributes:
        method: the HTTP method.
        url: the URL, with the query parameters.
        headers: the headers. Values of the same name are joined.
        content: the body, if there is one.
        timeout: seconds that connecting may take, and each wait for bytes; None for no limit.
        extensions: what httpx has here; nothing reads it.
    """

    method: str
    url: TextURL
    headers: dict[str, str | bytes]
    content: bytes | None = None
    timeout: tuple[float | None, float | None] = (None, None)
    extensions: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def build(
        cls,
        method: str,
        url: Any,
        *,
        params: Any = None,
        headers: Any = None,
        timeout: tuple[float | None, ...] = (None, None),
        content: str | bytes | None = None,
        data: Any = None,
        json: Any = None,
    ) -> Self:
        """Build a request from arguments of httpx's ``build_request()``."""
        body, body_type = _encoded(content, data, json)
        pairs = with_default_headers(headers, {} if body_type is None else {"Content-Type": body_type})
        target = TextURL(url)
        if params is not None:
            target = target.with_query(params if isinstance(params, str) else urlencode(_pairs(params)))
        return cls(method, target, _joined(pairs), body, (timeout[0], timeout[1]))

    def add_default_headers(self, headers: Mapping[str, str] | None) -> None:
        """Add the headers of the client, unless the request has them."""
        given = names_of(list(self.headers.items()))
        for name, value in (headers or {}).items():
            if name.lower() not in given:
                self.headers[name] = value

    def text_headers(self, charset: str) -> dict[str, str]:
        """The headers as text that the library encodes in this charset."""
        return {
            name: value.decode(charset) if isinstance(value, bytes) else value
            for name, value in self.headers.items()
        }


def _joined(pairs: list[tuple[Any, Any]]) -> dict[str, str | bytes]:
    headers: dict[str, str | bytes] = {}
    names: dict[str, str] = {}
    for name, value in pairs:
        text = name.decode("latin-1") if isinstance(name, bytes) else str(name)
        first = names.setdefault(text.lower(), text)
        if first in headers:
            value = _text(headers[first]) + ", " + _text(value)
        headers[first] = value
    return headers


def _text(value: str | bytes) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else value


def _encoded(content: str | bytes | None, data: Any, value: Any) -> tuple[bytes | None, str | None]:
    """The body and its content type."""
    if isinstance(data, (str, bytes)):
        content, data = data, None
    if content is not None:
        return content.encode() if isinstance(content, str) else content, None
    if data is not None:
        return urlencode(_pairs(data)).encode(), _FORM
    if value is not None:
        text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
        return text.encode(), _JSON
    return None, None


def _pairs(fields: Any) -> list[tuple[Any, str]]:
    """The pairs of a mapping or of pairs, whose values may be lists."""
    return [
        (name, _value_text(each))
        for name, value in (fields.items() if hasattr(fields, "items") else fields)
        for each in (value if isinstance(value, (list, tuple)) else (value,))
    ]


def _value_text(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return "" if value is None else str(value)
