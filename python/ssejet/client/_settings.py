"""The settings of a client, and of one call."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from ssejet._http.deadlines import check_seconds
from ssejet.client._params import CallOptions
from ssejet.client._providers import PROVIDERS

if TYPE_CHECKING:
    from collections.abc import Callable, Sized

    from ssejet.client._providers import Provider

__all__ = ["OPTIONS", "Settings", "as_mapping", "is_anthropic", "url_text"]

_DEFAULT_BASE_URL = "https://api.openai.com/v1"

OPTIONS = frozenset(CallOptions.__annotations__)
"""The names of the arguments of a call that are not sent as parameters of the request."""


# Without a repr: it would show the key in every traceback that shows local variables.
@dataclass(frozen=True, repr=False)
class Settings:
    """The settings of a client, or of one call; see ``Client``. The names of headers are in lower case."""

    api_key: str = ""
    base_url: str = _DEFAULT_BASE_URL
    headers: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, Any] = field(default_factory=dict)
    body: Mapping[str, Any] = field(default_factory=dict)
    connect_timeout: float | None = None
    idle_timeout: float | None = None
    data_timeout: float | None = None
    timeout: float | None = None
    max_retries: int = 0
    require_done: bool = True
    tokenizer: Callable[[str], int | Sized] | None = None
    provider: Provider | None = None
    direct: bool = True

    def __post_init__(self) -> None:
        check_seconds(
            connect_timeout=self.connect_timeout,
            idle_timeout=self.idle_timeout,
            data_timeout=self.data_timeout,
            timeout=self.timeout,
        )
        if not isinstance(self.max_retries, int):
            raise TypeError(f"max_retries must be an int, not {type(self.max_retries).__name__}")
        if self.max_retries < 0:
            raise ValueError(f"max_retries must be 0 or more; got {self.max_retries!r}")
        if not (self.tokenizer is None or callable(self.tokenizer)):
            kind = type(self.tokenizer).__name__
            raise TypeError(
                f"tokenizer must be a function that takes a text, such as encoding.encode, not {kind}"
            )
        # Checked here, as the errors of the HTTP library would show the value, which may be a secret.
        for name, value in {"api_key": self.api_key, **self.headers}.items():
            if not isinstance(value, str):
                raise TypeError(f"{name} must be a str, not {type(value).__name__}")
            if not (value.isascii() and value.isprintable() and value == value.strip()):
                raise ValueError(
                    f"{name} has a character that a header cannot have, such as a line end: remove it"
                )

    @classmethod
    def from_environment(
        cls,
        *,
        api_key: str | None,
        base_url: str | None,
        headers: Mapping[str, str] | None,
        query: Mapping[str, Any] | None,
        **others: Any,
    ) -> Settings:
        """Make the settings of a client; the environment replaces a missing key and URL.

        Raises:
            TypeError: an option is of the wrong type.
            ValueError: there is no API key, or a value is invalid.
        """
        base_url = url_text(base_url) or url_text(os.environ.get("OPENAI_BASE_URL"))
        base_url = (base_url or _DEFAULT_BASE_URL).rstrip("/")
        if not base_url.startswith(("http://", "https://")):
            # The message does not show the URL, as it may have a password.
            raise ValueError("base_url must begin with http:// or https://, as in http://127.0.0.1:8000/v1")
        if "?" in base_url or "#" in base_url:
            raise ValueError("base_url must end with its path: pass its query parameters as default_query")
        query = {**as_mapping(query, "default_query")}
        if api_key is None:
            # The key of one provider must not be sent to another.
            at_anthropic = is_anthropic(base_url)
            api_key = os.environ.get("ANTHROPIC_API_KEY" if at_anthropic else "OPENAI_API_KEY", "")
            if not api_key and base_url == _DEFAULT_BASE_URL:
                raise ValueError("no API key: pass api_key, or set OPENAI_API_KEY in the environment")
        return cls(api_key, base_url, _lower_names(headers, "default_headers"), query, **others)

    def override(self, options: Mapping[str, Any]) -> Settings:
        """Make the settings of one call: headers and query are added to the client's, the rest replaces it.

        Args:
            options: the options of the call, a part of ``OPTIONS``.
        """
        if not options:
            return self
        return replace(
            self,
            headers={**self.headers, **_lower_names(options.get("extra_headers"), "extra_headers")},
            query={**self.query, **as_mapping(options.get("extra_query"), "extra_query")},
            body=as_mapping(options.get("extra_body"), "extra_body"),
            **{name: value for name, value in options.items() if not name.startswith("extra_")},
        )


def is_anthropic(base_url: str) -> bool:
    """Whether a URL is of Anthropic's own API."""
    return f"{base_url}/".startswith(f"{PROVIDERS['anthropic'].base_url.removesuffix('v1')}")


def url_text(url: Any) -> str:
    """A URL as text; "" for None. An object, such as httpx's, is taken, too; a text may have spaces."""
    return "" if url is None else str(url).strip()


def as_mapping(value: Any, name: str) -> Mapping[Any, Any]:
    """The value of an option that is a mapping; an empty one for None.

    Raises:
        TypeError: the value is something else. The message does not show it, as it may have a secret.
    """
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise TypeError(f"{name} must be a dict, not {type(value).__name__}")
    return value


def _lower_names(headers: Mapping[str, str] | None, option: str) -> dict[str, str]:
    """Write the names in lower case, so that a header replaces one of the same name."""
    named = as_mapping(headers, option)
    for name in named:
        if not isinstance(name, str):
            raise TypeError(f"the names in {option} must be str, not {type(name).__name__}")
    return {name.lower(): value for name, value in named.items()}
