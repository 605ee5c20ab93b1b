"""The OpenAI-compatible server that a command uses: its URL, its key, and remedies for its errors."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any

import httpx
import typer

from ssejet import (
    APIConnectionError,
    APIStatusError,
    APITimeoutError,
    ContentTypeError,
    SSEError,
    TruncatedStreamError,
)
from ssejet._http.failures import was_sent
from ssejet._json import loads
from ssejet.typed._server_reports import status_error

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ssejet import TokenMetrics

__all__ = [
    "KeyName",
    "MaxTokens",
    "Model",
    "NoUsage",
    "Params",
    "Server",
    "Timeout",
    "as_call",
    "check_end",
    "request_params",
]

_OPENAI = "https://api.openai.com/v1"
_KEY_NAME = "OPENAI_API_KEY"
_CONNECT_SECONDS = 10.0

Model = Annotated[
    str | None,
    typer.Option("--model", "-m", metavar="NAME", help="The model. Not needed if the server has only one."),
]
KeyName = Annotated[
    str,
    typer.Option(
        "--api-key-env", metavar="NAME", help="The environment variable with the API key, if there is one."
    ),
]
MaxTokens = Annotated[
    int | None, typer.Option("--max-tokens", metavar="N", min=1, help="End an answer after N tokens.")
]
Params = Annotated[
    list[str] | None,
    typer.Option(
        "--param",
        "-p",
        metavar="NAME=VALUE",
        help="Another request parameter, such as `top_p=0.9`. VALUE is JSON, otherwise text. Repeatable.",
    ),
]
NoUsage = Annotated[
    bool,
    typer.Option(
        "--no-usage",
        help="Do not ask for token counts (`stream_options`): some servers refuse that.",
    ),
]
Timeout = Annotated[
    float, typer.Option("--timeout", metavar="SECONDS", help="Give up when nothing arrives for this long.")
]


def request_params(
    model: str, *, max_tokens: int | None, params: Sequence[str] | None, no_usage: bool, **others: Any
) -> dict[str, Any]:
    """Build the parameters of a request, without its messages. Named parameters that are None are omitted.

    Raises:
        typer.BadParameter: one of ``params`` has no name, or is one that the command sets.
    """
    named = {"model": model, "max_tokens": max_tokens, **others}
    request = {name: value for name, value in named.items() if value is not None}
    if not no_usage:
        request["stream_options"] = {"include_usage": True}
    for param in params or []:
        name, equals, value = param.partition("=")
        if not equals or not name:
            raise typer.BadParameter(f"{param!r} is not of the form NAME=VALUE", param_hint="--param")
        if name in {"messages", "stream"}:
            raise typer.BadParameter(f"{name} is set by this command", param_hint="--param")
        try:
            request[name] = loads(value)
        except ValueError:
            request[name] = value
    return request


def as_call(request: Mapping[str, Any]) -> dict[str, Any]:
    """Build the arguments of ``create()`` for a streamed request.

    All parameters go into the body, so none is mistaken for an option of the client.
    """
    body = {**request, "stream": True}
    return {"model": body["model"], "messages": body["messages"], "extra_body": body}


def check_end(metrics: TokenMetrics) -> None:
    """Check that an answer is complete. A failing server may end the stream in the middle of one.

    Args:
        metrics: the metrics of a stream that has been read to its end.

    Raises:
        TruncatedStreamError: the answer has no finish reason.
    """
    if not metrics.finished:
        answer = "the answer" if metrics.chunks else "an empty answer"
        raise TruncatedStreamError(f"{answer} ended without a finish reason: it may be incomplete")


@dataclass(frozen=True)
class Server:
    """An OpenAI-compatible server.

    Attributes:
        base_url: the URL up to the version, without a query.
        query: query parameters of every request, such as Azure's ``api-version``.
        key_name: the environment variable of the API key.
        api_key: the key, ``""`` if there is none.
    """

    base_url: str
    query: Mapping[str, str]
    key_name: str
    api_key: str = field(repr=False)

    @classmethod
    def from_options(cls, base_url: str | None, key_name: str, *, hint: str) -> Server:
        """Make the server from a command's options.

        Args:
            base_url: the URL, ``http://`` if it has no scheme, possibly with a query. None for OpenAI's.
            key_name: the environment variable of the API key.
            hint: the name of the option for ``base_url``.

        Raises:
            typer.BadParameter: the URL is invalid, or a key is needed and missing.
        """
        url = base_url or _OPENAI
        if "://" not in url:
            url = f"http://{url}"
        try:
            parsed = httpx.URL(url)
        except (httpx.InvalidURL, ValueError) as error:
            raise typer.BadParameter(f"{base_url} is not a URL: {error}", param_hint=hint) from None
        if parsed.scheme not in {"http", "https"} or not parsed.host:
            raise typer.BadParameter(f"{base_url} is not an http:// or https:// URL", param_hint=hint)
        api_key = os.environ.get(key_name, "").strip()
        if not (api_key.isascii() and api_key.isprintable()):
            raise typer.BadParameter(
                f"{key_name} holds a character that no key can have", param_hint="--api-key-env"
            )
        if not api_key and key_name != _KEY_NAME:
            raise typer.BadParameter(f"{key_name} is not set in the environment", param_hint="--api-key-env")
        if not api_key and not base_url:
            raise typer.BadParameter(
                f"no API key: set {_KEY_NAME} in the environment, or name a server of your own",
                param_hint=hint,
            )
        plain = str(parsed.copy_with(query=None, fragment=None)).rstrip("/")
        return cls(plain, dict(parsed.params), key_name, api_key)

    @property
    def name(self) -> str:
        """Its URL, without the user information, which may be secret."""
        return str(httpx.URL(self.base_url).copy_with(userinfo=b""))

    def client_options(self, *, timeout: float) -> dict[str, Any]:
        """Build the arguments of ``Client`` and ``AsyncClient``; ``timeout`` limits a silence."""
        if not timeout > 0:  # NaN too
            raise typer.BadParameter("must be more than 0", param_hint="--timeout")
        return {
            "base_url": self.base_url,
            "default_query": self.query,
            "api_key": self.api_key,
            "connect_timeout": _CONNECT_SECONDS,
            "idle_timeout": timeout,
            "timeout": None,
        }

    def only_model(self) -> str:
        """Ask the server for its only model.

        Raises:
            typer.BadParameter: it has several models, or does not say.
            SSEError: the request failed.
        """
        headers = {"Authorization": f"Bearer {self.api_key}"} if self.api_key else {}
        try:
            response = httpx.get(
                f"{self.base_url}/models", params=self.query, headers=headers, timeout=_CONNECT_SECONDS
            )
            if response.status_code in {401, 403}:
                raise status_error(response, response.content)
            models = [str(model["id"]) for model in response.json()["data"]]
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            raise APIConnectionError(f"cannot connect to {self.name}: {error}") from error
        except (httpx.HTTPError, ValueError, LookupError, TypeError):
            models = []
        if len(models) == 1:
            return models[0]
        choice = f"it has {', '.join(models[:20])}" if models else "the server does not list its models"
        raise typer.BadParameter(f"name a model; {choice}", param_hint="--model")

    def explain(self, error: SSEError) -> str:
        """Describe an error and its remedy, without the key."""
        remedy = self._remedy(error)
        return self.redact(f"{error}; {remedy}" if remedy else str(error))

    def redact(self, text: str) -> str:
        """Replace the key, which some servers quote, in a text."""
        return text.replace(self.api_key, "***") if self.api_key else text

    def _remedy(self, error: SSEError) -> str | None:
        if isinstance(error, APIStatusError):
            return self._status_remedy(error)
        if isinstance(error, APITimeoutError) and error.kind != "connect":
            return "--timeout allows more"
        if isinstance(error, APIConnectionError) and not was_sent(error):
            return "is the server running, and the URL right?"
        if isinstance(error, ContentTypeError):
            return "is the URL right? It usually ends in /v1"
        if isinstance(error, TruncatedStreamError):
            return "the server or a proxy ended it early"
        return None

    def _status_remedy(self, error: APIStatusError) -> str | None:
        if error.status_code in {401, 403}:
            return (
                f"is the key in {self.key_name} right?" if self.api_key else f"set {self.key_name} to a key"
            )
        if error.status_code in {404, 405}:
            return "are the URL, which usually ends in /v1, and the model right?"
        if error.status_code in {400, 422} and "stream_options" in str(error):
            return "--no-usage leaves that out"
        if error.status_code == 429:
            return "wait, or send fewer requests"
        return "try again later" if error.status_code >= 500 else None
