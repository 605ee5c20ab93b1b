"""Where the events of a source are, how to ask for them, and where redirects lead."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ssejet._http.failures import invalid_url_errors
from ssejet._redaction import is_secret_header
from ssejet.errors import APIStatusError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["PERMANENT_REDIRECTS", "REDIRECTS", "Target", "redirect_error"]

PERMANENT_REDIRECTS = frozenset({301, 308})
REDIRECTS = PERMANENT_REDIRECTS | {302, 303, 307}

_LAST_PORT = 65535


@dataclass(frozen=True)
class Target:
    """Where the events are, and how to ask for them.

    Attributes:
        method: the HTTP method.
        url: the URL, which a client's ``base_url`` may complete.
        headers: of the request, without those of the event source.
        body: arguments of httpx's ``build_request`` that stand for the body.
        params: query parameters to merge into the URL.
        trusted: whether this is the origin that credentials were given for.
        exact: whether the URL stands as it is, as a redirect's does, whatever a client adds to others.
    """

    method: str
    url: Any
    headers: tuple[tuple[Any, Any], ...] = ()
    body: Mapping[str, Any] = field(default_factory=dict)
    params: Any = None
    trusted: bool = True
    exact: bool = False

    def redirected(self, response: Any, *, home_url: Any) -> Target:
        """Where a redirect leads, by the rules of the Fetch standard.

        Args:
            response: the redirect.
            home_url: the URL that credentials were given for.

        Raises:
            APIStatusError: it leads nowhere.
        """
        status = response.status_code
        url = _location(response)
        method, body, headers = self.method, self.body, self.headers
        if (status == 303 and method not in {"GET", "HEAD"}) or (status in {301, 302} and method == "POST"):
            method, body = "GET", {}
            headers = tuple(pair for pair in headers if not _name(pair).startswith("content-"))
        trusted = self.trusted and _may_share_credentials(home_url, url)
        if not trusted:
            headers = tuple(pair for pair in headers if not is_secret_header(_name(pair)))
        return Target(method, url, headers, body, params=None, trusted=trusted, exact=True)

    def strip(self, request: Any) -> None:
        """Take from a request what a client added and this target must not get."""
        if self.exact:
            request.url = self.url
        if not self.trusted:
            for name in filter(is_secret_header, [*request.headers]):
                del request.headers[name]


def redirect_error(response: Any, problem: str) -> APIStatusError:
    """The error for a redirect that is not followed."""
    return APIStatusError(f"HTTP status {response.status_code}: {problem}", response=response)


def _location(response: Any) -> Any:
    location = response.headers.get("location", "").strip()
    if not location:
        raise redirect_error(response, "a redirect without a Location")
    try:
        url = response.request.url.join(location)
        port, _ = url.port, url.host  # which are looked at only when they are asked for
    except invalid_url_errors() as error:
        raise redirect_error(response, "a redirect to what is no URL") from error
    if (port or 0) > _LAST_PORT:
        raise redirect_error(response, f"a redirect to port {port}, but ports end at {_LAST_PORT}")
    if url.scheme not in {"http", "https"}:
        raise redirect_error(response, f"a redirect to the scheme {url.scheme!r}")
    return url


def _name(header: tuple[Any, Any]) -> str:
    name = header[0]
    return (name.decode("latin-1") if isinstance(name, bytes) else str(name)).lower()


def _may_share_credentials(url: Any, other: Any) -> bool:
    """Whether two URLs are of one origin, or differ in that the other is of the same host, but secure."""
    if url.host != other.host:
        return False
    if (url.scheme, url.port) == (other.scheme, other.port):
        return True
    return (url.scheme, url.port, other.scheme, other.port) == ("http", None, "https", None)
