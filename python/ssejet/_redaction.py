"""Secrets of requests: which headers hold them, and how to hide them where a server quotes them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["is_secret_header", "redacted"]

_T = TypeVar("_T")

# Authorization, Proxy-Authorization, Cookie; the keys of Azure (api-key), Anthropic (x-api-key), Google
# (x-goog-api-key) and gateways (ocp-apim-subscription-key); tokens of AWS (x-amz-security-token) and others.
_SECRET_HEADERS = r"(.*-)?(authorization|cookie|api-?key|subscription-key|token|secret)"

# Shorter values are not secret: servers without keys are given words such as "none".
_SHORTEST_SECRET = 8


def is_secret_header(name: str) -> bool:
    """Whether the values of a request header are secret, in any case of its letters.

    They must not appear in errors, and must not follow a redirect to another origin.
    """
    return re.fullmatch(_SECRET_HEADERS, name.lower()) is not None


def redacted(value: _T, request: Any) -> _T:
    """Replace the secrets of a request by ``***`` in what the server answered.

    Args:
        value: text, decoded JSON, or a body.
        request: the request of an HTTP library, with ``headers``; None has no secrets.
    """
    secrets = sorted(set(_secrets_of(request)), key=len, reverse=True)  # a secret may be part of another
    if not secrets:
        return value
    redacted_value: Any
    try:
        redacted_value = _replace(secrets, value)
    except RecursionError:
        redacted_value = "***"  # it is nested too deep to be searched
    return redacted_value  # type: ignore[no-any-return]


def _secrets_of(request: Any) -> Iterator[str]:
    headers = getattr(request, "headers", None) or {}
    for name, value in headers.items():
        if is_secret_header(_text(name)):
            for secret in _secrets_in(_text(name).lower(), _text(value)):
                if len(secret) >= _SHORTEST_SECRET:
                    yield secret


def _secrets_in(name: str, value: str) -> Iterator[str]:
    """The secrets in a header: its value and the parts of it that a server may quote."""
    yield value.strip()
    if name.endswith("cookie"):
        for cookie in value.split(";"):
            yield cookie.partition("=")[2].strip(' "')
        return
    scheme, *parameters = value.split() or [""]
    for parameter in parameters:
        yield parameter.strip(",")
        if scheme.lower() == "basic":
            yield _decoded(parameter).partition(":")[2]


def _decoded(credentials: str) -> str:
    from binascii import a2b_base64  # here, as few programs need it

    try:
        return a2b_base64(credentials).decode("utf-8", "replace")
    except ValueError:  # not Base64
        return ""


def _text(value: Any) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)


def _replace(secrets: list[str], value: Any) -> Any:
    if isinstance(value, str):
        for secret in secrets:
            value = value.replace(secret, "***")
        return value
    if isinstance(value, bytes):
        for secret in secrets:
            value = value.replace(secret.encode(), b"***")
        return value
    if isinstance(value, dict):
        return {_replace(secrets, name): _replace(secrets, each) for name, each in value.items()}
    if isinstance(value, list):
        return [_replace(secrets, each) for each in value]
    return value
