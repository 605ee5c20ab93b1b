# ruff: noqa: ASYNC110
"""The clients of other HTTP libraries, each with the parts of httpx's interface that the tests use.

They are subclasses of the libraries' own, which is what many users have.
"""

from __future__ import annotations

import asyncio
import gc
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any

import aiohttp
import anyio
import niquests
import pytest
import requests
import urllib3
import urllib3_future

from servers import A_LONG_TIME

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

if urllib3.__version__ == urllib3_future.__version__:
    raise ImportError(
        "niquests has replaced urllib3 in this environment by its fork, and the tests need both: "
        "run `make clean`, and then a target of make, which prevents that"
    )

ENCODINGS = {"accept-encoding": "gzip, deflate, br, zstd"}


class _Requests:
    """What sessions of requests and niquests share."""

    headers: Any

    def __init__(
        self,
        timeout: float | None = None,
        verify: Any = True,
        auth: Any = None,
        headers: Any = (),
        params: Any = (),
    ) -> None:
        super().__init__()
        self.read_timeout = timeout
        self.verify = False
        self.trust_env = False
        self.auth = auth
        self.headers.update(ENCODINGS | dict(headers))
        self.params = dict(params)


class RequestsClient(_Requests, requests.Session):
    pass


class NiquestsClient(_Requests, niquests.Session):
    pass


class AsyncNiquestsClient(_Requests, niquests.AsyncSession):
    pass


class Urllib3Client(urllib3.PoolManager):
    def __init__(
        self,
        timeout: float | None = None,
        verify: Any = True,
        auth: Any = None,
        headers: Any = (),
        params: Any = (),
    ) -> None:
        if params:
            pytest.skip("urllib3 has no parameters for all requests")
        all_headers = ENCODINGS | dict(headers)
        if auth is not None:
            all_headers |= urllib3.util.make_headers(basic_auth=":".join(auth))
        super().__init__(headers=all_headers, cert_reqs="CERT_NONE")
        self.read_timeout = timeout


def aiohttp_client(
    timeout: float | None = None, verify: Any = True, auth: Any = None, headers: Any = (), params: Any = ()
) -> aiohttp.ClientSession:
    """A session; aiohttp warns about subclasses."""
    if params:
        pytest.skip("aiohttp has no parameters for all requests")
    all_headers = ENCODINGS | dict(headers)
    if auth is not None:
        all_headers |= urllib3.util.make_headers(basic_auth=":".join(auth))
    return aiohttp.ClientSession(
        timeout=aiohttp.ClientTimeout(total=None, sock_read=timeout),
        connector=aiohttp.TCPConnector(ssl=False),
        headers=all_headers,
    )


async def sockets_closed() -> None:
    """Wait until the event loop has closed all its sockets: aiohttp ends TLS in the background."""
    selector = getattr(asyncio.get_running_loop(), "_selector", None)
    if selector is None:  # uvloop does not tell
        await asyncio.sleep(0.1)
        return
    with anyio.fail_after(A_LONG_TIME):
        while len(selector.get_map()) > 1:  # the event loop has one for itself
            await asyncio.sleep(0.001)
    await asyncio.sleep(0.001)  # it closes a socket in the step after it has stopped watching it


@contextmanager
def opened(client: Any, url: str) -> Iterator[Any]:
    """The response of any synchronous client."""
    if isinstance(client, Urllib3Client):
        options = {"preload_content": False, "timeout": client.read_timeout, "retries": False}
        with client.request("GET", url, **options) as response:
            yield response
    elif isinstance(client, _Requests):
        session: Any = client
        with session.request("GET", url, stream=True, timeout=client.read_timeout) as response:
            yield response
    else:
        with client.stream("GET", url) as response:
            yield response


@asynccontextmanager
async def aopened(client: Any, url: str) -> AsyncIterator[Any]:
    """The response of any asynchronous client."""
    if isinstance(client, aiohttp.ClientSession):
        async with client.get(url) as response:
            yield response
    elif isinstance(client, AsyncNiquestsClient):
        response = await client.get(url, stream=True, timeout=client.read_timeout)
        try:
            yield response
        finally:
            await response.close()
    else:
        async with client.stream("GET", url) as response:
            yield response


class Requests:
    Client = RequestsClient
    RemoteProtocolError = requests.exceptions.ChunkedEncodingError
    DecodingError = requests.exceptions.ContentDecodingError
    TransportError = requests.exceptions.RequestException
    UnsupportedProtocol = requests.exceptions.InvalidSchema
    InvalidURL = requests.exceptions.InvalidURL
    ConnectError = requests.exceptions.ConnectionError
    ReadTimeout = requests.exceptions.ConnectionError


class Niquests:
    Client = NiquestsClient
    AsyncClient = AsyncNiquestsClient
    RemoteProtocolError = niquests.exceptions.ChunkedEncodingError
    DecodingError = niquests.exceptions.ContentDecodingError
    TransportError = niquests.exceptions.RequestException
    UnsupportedProtocol = niquests.exceptions.InvalidSchema
    InvalidURL = niquests.exceptions.InvalidURL
    ConnectError = niquests.exceptions.ConnectionError
    ReadTimeout = niquests.exceptions.ConnectionError


class Urllib3:
    Client = Urllib3Client
    RemoteProtocolError = urllib3.exceptions.ProtocolError
    DecodingError = urllib3.exceptions.DecodeError
    TransportError = urllib3.exceptions.HTTPError
    UnsupportedProtocol = urllib3.exceptions.URLSchemeUnknown
    InvalidURL = urllib3.exceptions.LocationParseError
    ConnectError = urllib3.exceptions.NewConnectionError
    ReadTimeout = urllib3.exceptions.ReadTimeoutError


class Aiohttp:
    AsyncClient = staticmethod(aiohttp_client)
    RemoteProtocolError = aiohttp.ClientPayloadError
    DecodingError = aiohttp.ClientPayloadError
    TransportError = aiohttp.ClientError
    UnsupportedProtocol = getattr(aiohttp, "NonHttpUrlClientError", aiohttp.InvalidURL)
    InvalidURL = aiohttp.InvalidURL
    ConnectError = aiohttp.ClientConnectorError
    ReadTimeout = aiohttp.ServerTimeoutError


def accepts(http: Any, encoding: str) -> bool:
    """Whether a library, as it is installed, decodes this content encoding."""
    accepted = {
        Requests: lambda: requests.utils.default_headers()["accept-encoding"],
        Urllib3: lambda: urllib3.util.make_headers(accept_encoding=True)["accept-encoding"],
        Niquests: lambda: niquests.utils.default_headers()["accept-encoding"],
        Aiohttp: lambda: aiohttp.ClientRequest.DEFAULT_HEADERS["Accept-Encoding"],
    }
    if http in accepted:
        return encoding in accepted[http]()
    with http.Client(verify=False) as client:
        return encoding in client.headers["accept-encoding"]


def collect_pools(user: Any) -> None:
    """Collect the pools of urllib3, which close their connections only then, and which responses refer to.

    Args:
        user: a driver or subscriber. One of httpx has to close its connections itself.
    """
    if getattr(user, "http", None) in {Requests, Urllib3, Niquests}:
        gc.collect()


def status_of(response: Any) -> int:
    """The status of a response of any library."""
    return int(response.status_code if hasattr(response, "status_code") else response.status)


def is_closed(response: Any) -> bool:
    """Whether a response of any library is closed."""
    if hasattr(response, "is_closed"):
        return bool(response.is_closed)
    if hasattr(response, "raw"):
        return bool(response.raw.closed)
    return bool(response.closed)


def request_of(response: Any) -> Any:
    """The request of a response of any library; None if it does not know it."""
    return getattr(response, "request", None) or getattr(response, "request_info", None)
