"""The request of an event source, and the rules for redirecting it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ssejet._http.failures import invalid_url_errors
from ssejet._http.urls import url_of
from ssejet._redaction import is_secret_header
from ssejet.errors import APIStatusError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["REDIRECTS", "Target"]

_PERMANENT_REDIRECTS = frozenset({301, 308})
REDIRECTS = _PERMANENT_REDIRECTS | {302, 303, 307}

_MAX_REDIRECTS = 20  # as in the Fetch standard

_LAST_PORT = 65535

# RFC 9110 and the RFCs of the other methods call these idempotent: a second request does no harm.
_IDEMPOTENT = frozenset(
    {"GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE", "QUERY", "REPORT", "SEARCH", "PROPFIND"}
)


@dataclass(frozen=True)
class Target:
    """A request for events, as the caller or a redirect describes it.

    Attributes:
        method: the HTTP method.
        url: the URL. For the caller's URL, a client can complete it with its ``base_url``.
        headers: of the request, without those of the event source.
        body: arguments for the body, as httpx's ``build_request`` takes them.
        params: query parameters to merge into the URL.
        origin: the URL that the caller gave the credentials for; None before a redirect.
        trusted: whether the target may get the credentials.
        redirects: how many redirects led here, one after another.
        permanent: whether all of them were permanent.
    """

    method: str
    url: Any
    headers: tuple[tuple[Any, Any], ...] = ()
    body: Mapping[str, Any] = field(default_factory=dict)
    params: Any = None
    origin: Any = None
    trusted: bool = True
    redirects: int = 0
    permanent: bool = True

    @property
    def is_idempotent(self) -> bool:
        """Whether the method allows sending the request again after the server received it."""
        return self.method in _IDEMPOTENT

    def redirected(self, response: Any) -> Target:
        """The target of a redirect, by the rules of the Fetch standard.

        Args:
            response: the redirect.

        Raises:
            APIStatusError: the redirect cannot be followed.
        """
        if self.redirects == _MAX_REDIRECTS:
            raise _redirect_error(response, f"more than {_MAX_REDIRECTS} redirects")
        status = response.status_code
        origin = self.origin or url_of(response.request)
        url = _location(response)
        method, body, headers = self.method, self.body, self.headers
        if (status == 303 and method not in {"GET", "HEAD"}) or (status in {301, 302} and method == "POST"):
            method, body = "GET", {}
            headers = tuple(pair for pair in headers if not _name(pair).startswith("content-"))
        trusted = self.trusted and may_share_credentials(origin, url)
        if not trusted:
            headers = tuple(pair for pair in headers if not is_secret_header(_name(pair)))
        return Target(
            method,
            url,
            headers,
            body,
            origin=origin,
            trusted=trusted,
            redirects=self.redirects + 1,
            permanent=self.permanent and status in _PERMANENT_REDIRECTS,
        )

    def clean(self, request: Any) -> None:
        """Remove from a request what the client added to it and this target must not get."""
        if self.origin is not None:  # A redirect gives the whole URL.
            request.url = self.url
        if not self.trusted:
            for name in filter(is_secret_header, [*request.headers]):
                del request.headers[name]


def _redirect_error(response: Any, problem: str) -> APIStatusError:
    return APIStatusError(f"HTTP status {response.status_code}: {problem}", response=response)


def _location(response: Any) -> Any:
    location = response.headers.get("location", "").strip()
    if not location:
        raise _redirect_error(response, "a redirect without a Location")
    try:
        url = url_of(response.request).join(location)
        port, _ = url.port, url.host  # httpx checks them when they are asked for.
    except invalid_url_errors() as error:
        raise _redirect_error(response, "a redirect whose Location is no URL") from error
    if (port or 0) > _LAST_PORT:
        raise _redirect_error(response, f"a redirect to port {port}, but the last port is {_LAST_PORT}")
    if url.scheme not in {"http", "https"}:
        raise _redirect_error(response, f"a redirect to the scheme {url.scheme!r}, not http or https")
    return url


def _name(header: tuple[Any, Any]) -> str:
    name = header[0]
    return (name.decode("latin-1") if isinstance(name, bytes) else str(name)).lower()


def may_share_credentials(url: Any, other: Any) -> bool:
    """Whether both URLs have the same origin, or the other only adds TLS on the default port."""
    if url.host != other.host:
        return False
    if (url.scheme, url.port) == (other.scheme, other.port):
        return True
    return (url.scheme, url.port, other.scheme, other.port) == ("http", None, "https", None)
