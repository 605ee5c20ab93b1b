"""Which packages have a swap-in, how to recognise their clients, and which of them are installed.

A new SDK needs one entry in ``ENTRIES``. SDKs that Stainless or Speakeasy generated need none, unless
something about them is special.
"""

from __future__ import annotations

import sys
from contextlib import suppress
from functools import cache
from importlib import import_module, metadata
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

__all__ = [
    "ENTRIES",
    "GENERATED",
    "PARTS",
    "SPEAKEASY",
    "Entry",
    "import_streams",
    "imported",
    "installed",
    "is_awaited",
    "loaded",
    "sdk_of",
    "swap_in",
    "version",
]


class Entry(NamedTuple):
    """A package that has a swap-in of its own.

    Attributes:
        module: the module of the swap-in. It has, or its ``SWAP_IN`` has, ``PATCHES`` (each a class, an
            attribute and its replacement); ``check()``, which raises ``UnsupportedError`` if this version of
            the package does not work as the patches expect; and for an SDK ``accelerate(client)``. Importing
            it may raise ``UnsupportedError``, too.
        clients: the names of the classes of which clients are instances, as in ``"OpenAI"``; empty if the
            package is no SDK. A module path in front is allowed, as in ``"client.Client"``.
        distribution: the name of the distribution, if it is not the package's.
        part: the part of the package that has the streams, if other parts are imported without it.
        is_quiet: whether a version that does not fit is left alone without a warning, because most of the
            gain comes from other packages.
    """

    module: str
    clients: tuple[str, ...] = ()
    distribution: str | None = None
    part: str | None = None
    is_quiet: bool = False

    @property
    def is_sdk(self) -> bool:
        """Whether it has clients."""
        return bool(self.clients)


PARTS = ("_base_client", "_streaming", "_models", "_compat")
"""The modules by which an SDK that Stainless generated is recognised. The first imports the others."""

_MARK = f".{PARTS[0]}"

# The names of the base classes of the clients of all SDKs that Stainless generated.
_STAINLESS = ("_base_client.BaseClient",)

ENTRIES: dict[str, Entry] = {
    "openai": Entry("ssejet.swap.openai._patches", _STAINLESS),
    "anthropic": Entry("ssejet.swap.anthropic._patches", _STAINLESS),
    "google.genai": Entry(
        "ssejet.swap.google_genai._patches", ("client.Client", "client.AsyncClient"), "google-genai"
    ),
    "cohere": Entry(
        "ssejet.swap.cohere._patches",
        (
            *("v2.client.V2Client", "v2.client.AsyncV2Client"),
            *("base_client.BaseCohere", "base_client.AsyncBaseCohere"),
        ),
    ),
    "httpx_sse": Entry("ssejet.swap.httpx_sse._in_place", distribution="httpx-sse"),
    "httpx2": Entry("ssejet.swap.httpx2._in_place"),
    "huggingface_hub": Entry(
        "ssejet.swap._huggingface",
        (
            "inference._client.InferenceClient",
            "inference._generated._async_client.AsyncInferenceClient",
        ),
        part="inference",
    ),
    "litellm": Entry("ssejet.swap._above.litellm", is_quiet=True),
    "pydantic_ai": Entry("ssejet.swap._above.pydantic_ai", distribution="pydantic-ai-slim", is_quiet=True),
}

# The modules whose import is waited for, and their packages.
_AWAITED = {f"{name}.{entry.part}" if entry.part else name: name for name, entry in ENTRIES.items()}

GENERATED = ("groq", "together", "cerebras", "writer", "fireworks", "perplexity", "cloudflare", "runwayml")
"""Some of the other SDKs that Stainless generated, for messages. They are recognised by their structure."""


SPEAKEASY = ("mistralai",)
"""Some of the SDKs that Speakeasy generated, for messages. They are recognised by their structure, too."""

_SPEAKEASY_MARK = ".utils.eventstreaming"
_SPEAKEASY_BASE = ".basesdk"
_SPEAKEASY_FILES = ("basesdk.py", "eventstreaming.py")


def _speakeasy(root: str) -> str | None:
    """Give the name of an SDK from Speakeasy, or None if it is a private part of another package.

    Newer ones keep their modules in a package ``client``.
    """
    is_private = any(part.startswith("_") for part in root.split("."))
    return None if is_private else root.removesuffix(".client")


def sdk_of(client: object) -> str | None:
    """Give the name of the package of a client; None if it is no client that is known."""
    for cls in type(client).__mro__:
        for name, entry in ENTRIES.items():
            if any(f"{cls.__module__}.{cls.__qualname__}" == f"{name}.{each}" for each in entry.clients):
                return name
        if cls.__qualname__ == "BaseClient" and cls.__module__.endswith(_MARK):
            return cls.__module__.removesuffix(_MARK)
        if cls.__qualname__ == "BaseSDK" and cls.__module__.endswith(_SPEAKEASY_BASE):
            return _speakeasy(cls.__module__.removesuffix(_SPEAKEASY_BASE))
    return None


def swap_in(package: str) -> Any:
    """Make the swap-in for a package."""
    # If another thread is importing the package, this waits. That thread may want the swap-in too: so this
    # must not wait while it holds the lock of the swap-in's module.
    import_module(package)
    entry = ENTRIES.get(package)
    if entry is None:
        return _generated(package)
    module = import_module(entry.module)
    return getattr(module, "SWAP_IN", module)


@cache
def _generated(package: str) -> Any:
    from ssejet.swap._speakeasy import SpeakeasySwapIn, module_of
    from ssejet.swap._stainless import StainlessSwapIn

    if f"{package}{_MARK}" not in sys.modules:
        with suppress(ModuleNotFoundError):
            return SpeakeasySwapIn(module_of(package))
    return StainlessSwapIn(package)


def import_streams(package: str) -> None:
    """Import a package with the part that has its streams, after which ``install()`` patches it."""
    import_module(package)
    entry = ENTRIES.get(package)
    if entry is not None and entry.part is not None:
        import_module(f"{package}.{entry.part}")
    elif entry is None and f"{package}{_MARK}" not in sys.modules:
        from ssejet.swap._speakeasy import module_of

        module_of(package)


def imported() -> list[str]:
    """Give the known packages that are imported."""
    names = [name for name, module in list(sys.modules.items()) if module is not None]
    named = [package for module, package in _AWAITED.items() if module in names]
    # Importing one waits, if another thread is importing it.
    marked = [name for name in names if name.endswith((_MARK, _SPEAKEASY_MARK))]
    others = [_package(import_module(name)) for name in marked]
    return [*named, *(name for name in others if name is not None)]


def is_awaited(module_name: str) -> bool:
    """Whether something is to be patched when this module is imported."""
    return module_name in _AWAITED or module_name.endswith((_MARK, _SPEAKEASY_MARK))


def loaded(module: ModuleType) -> str | None:
    """Give the package that is to be patched now that this module is imported."""
    return _AWAITED.get(module.__name__) or (
        _package(module) if module.__name__.endswith((_MARK, _SPEAKEASY_MARK)) else None
    )


def _package(module: Any) -> str | None:
    """Give the package of a module with the name of a mark, if it is generated and has no entry."""
    name: str = module.__name__
    if name.endswith(_SPEAKEASY_MARK):
        has_streams = hasattr(module, "stream_events") and hasattr(module, "stream_events_async")
        return _speakeasy(name.removesuffix(_SPEAKEASY_MARK)) if has_streams else None
    name = name.removesuffix(_MARK)
    is_generated = all(
        isinstance(getattr(module, each, None), type) for each in ("BaseClient", "Stream", "AsyncStream")
    )
    return name if is_generated and name not in ENTRIES else None


def installed() -> Iterator[str]:
    """Find the known packages that are installed, without importing them."""
    for name in ENTRIES:
        with suppress(ImportError, ValueError):
            if name in sys.modules or find_spec(name) is not None:
                yield name
    for distribution in metadata.distributions():
        names = [f"{part}.py" for part in PARTS]
        paths = {str(file) for file in distribution.files or () if file.name in {*names, *_SPEAKEASY_FILES}}
        for path in paths:
            folder = path.removesuffix(names[0])
            if folder != path and all(folder + name in paths for name in names):
                name = folder.rstrip("/").replace("/", ".")
                if name not in ENTRIES:
                    yield name
            if path.endswith(f"/{_SPEAKEASY_FILES[0]}"):
                folder = path.removesuffix(_SPEAKEASY_FILES[0])
                if f"{folder}utils/{_SPEAKEASY_FILES[1]}" in paths:
                    root = _speakeasy(folder.rstrip("/").replace("/", "."))
                    if root is not None:
                        yield root


def version(package: str) -> str | None:
    """Give the version of a package, without importing it."""
    known: str | None = getattr(sys.modules.get(package), "__version__", None)
    if known is not None:
        return known
    entry = ENTRIES.get(package)
    with suppress(metadata.PackageNotFoundError):
        return metadata.version((entry and entry.distribution) or package)
    with suppress(Exception):  # it may be in the middle of its import
        return str(sys.modules[f"{package}._version"].__version__)
    folder = package.replace(".", "/")
    files = {f"{folder}/{name}.py" for name in ("_base_client", "basesdk", "client/basesdk")}
    for distribution in metadata.distributions():
        if any(str(file) in files for file in distribution.files or ()):
            return distribution.version
    return None
