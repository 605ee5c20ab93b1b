"""URLs as text, for libraries whose requests have no class for them."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote, urljoin, urlsplit

from ssejet._lazy import loaded

__all__ = ["TextURL", "url_of"]

_DEFAULT_PORTS = {"http": 80, "https": 443}

# These characters of a Location stay as they are: those that separate, and those that are encoded already.
_KEPT = "%/:=&?~#+!$,;'@()*[]"


class TextURL(str):
    """A URL, with the members of httpx's class that ssejet uses."""

    __slots__ = ()

    @property
    def scheme(self) -> str:
        """The scheme, in lower case."""
        return urlsplit(self).scheme

    @property
    def host(self) -> str:
        """The host, in lower case."""
        return urlsplit(self).hostname or ""

    @property
    def port(self) -> int | None:
        """The port; None if it is the scheme's.

        Raises:
            ValueError: it is no number, or too large.
        """
        port = urlsplit(self).port
        return None if port == _DEFAULT_PORTS.get(self.scheme) else port

    @property
    def netloc(self) -> bytes:
        """The host and the port, if it is not the scheme's."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return (host if self.port is None else f"{host}:{self.port}").encode()

    def join(self, location: Any) -> TextURL:
        """The URL that a reference in a response to this one means."""
        return TextURL(urljoin(self, quote(location, safe=_KEPT)))

    def with_query(self, query: str) -> TextURL:
        """The same URL with another query."""
        return TextURL(urlsplit(self)._replace(query=query).geturl())


def url_of(request: Any) -> Any:
    """The URL of a request of any library, with the members of httpx's class."""
    url = request.url
    if isinstance(url, (TextURL, *loaded(("httpx", "URL"), ("httpx2", "URL")))):
        return url
    return TextURL(url)
