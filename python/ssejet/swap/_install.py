"""Speeding up one client, or a whole process."""

from __future__ import annotations

import sys
import warnings
from contextlib import suppress
from importlib import import_module, metadata
from importlib.abc import Loader, MetaPathFinder
from threading import RLock
from typing import TYPE_CHECKING, Any, TypeVar

from ssejet.swap import UnsupportedVersionWarning
from ssejet.swap._support import UnsupportedError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType

    from typing_extensions import Self

    from ssejet.swap._support import Patch

__all__ = ["Installation", "accelerate", "install", "uninstall"]

_ClientT = TypeVar("_ClientT")

_SDKS = ("openai", "anthropic")
_SWAP_INS = {
    "openai": "ssejet.swap.openai._patches",
    "anthropic": "ssejet.swap.anthropic._patches",
    "httpx_sse": "ssejet.swap.httpx_sse._in_place",
    "httpx2": "ssejet.swap.httpx2._in_place",
}


def accelerate(client: _ClientT) -> _ClientT:
    """Make, from a client of openai or anthropic, one of the same class whose streams are fast.

    Its streams, those of ``create(stream=True)`` and of the ``.stream()`` helpers, go through ssejet's
    decoder, and their items are built straight from the JSON. Items, errors and their order are the SDK's
    own. The client given is left as it is; the two share their HTTP client, as with its ``with_options()``.

    ::

        client = ssejet.accelerate(OpenAI())

    Args:
        client: an ``OpenAI``, ``AzureOpenAI``, ``Anthropic`` or one of their kin, synchronous or not.

    Returns:
        The new client. Or the given one, with an ``UnsupportedVersionWarning``, if it cannot be made faster:
        its version of the SDK is not known, or its streams have another format than that of event streams.

    Raises:
        TypeError: that is no such client.
    """
    packages = [cls.__module__.partition(".")[0] for cls in type(client).__mro__]
    package = next((name for name in packages if name in _SDKS), None)
    if package is None or not hasattr(client, "with_options"):
        raise TypeError(f"accelerate() takes a client of openai or anthropic, got {type(client).__name__!r}")
    try:
        fast: _ClientT = _swap_in(package).accelerate(client)
    except UnsupportedError as error:
        _warn(package, error, stacklevel=3)
        return client
    return fast


def install() -> Installation:
    """Speed up openai, anthropic, httpx-sse and httpx2 throughout the process.

    Those that are imported are patched now, the others when they are imported. All streams that are opened
    from now on are fast, whichever client opens them. A version that is not known is left as it is, with an
    ``UnsupportedVersionWarning``. To install twice does no more than once.

    ::

        ssejet.install()

        with ssejet.install():  # uninstalled at the end of the block
            ...

    Returns:
        What was patched, as it stands whenever it is read.
    """
    with _lock:
        began = not _is_installed()
        if began:
            sys.meta_path.insert(0, _Finder())
    for package in _SWAP_INS:
        if package in sys.modules:
            _patch(package)
    return Installation(began=began)


def uninstall() -> None:
    """Take back what ``install`` did; streams that are open already go on as they are."""
    with _lock:
        sys.meta_path[:] = [finder for finder in sys.meta_path if not isinstance(finder, _Finder)]
        _left_alone.clear()
        while _patched:
            _, applied = _patched.popitem()
            for patch in applied:
                patch.undo()


class Installation:
    """What ``install`` did. Used as a context manager, it is taken back at the end."""

    def __init__(self, *, began: bool) -> None:
        self._began = began

    @property
    def patched(self) -> dict[str, str]:
        """The packages that are fast, and their versions."""
        return {package: _version(package) for package in _patched}

    @property
    def waiting(self) -> list[str]:
        """The packages that will be fast once they are imported."""
        return [package for package in _SWAP_INS if package not in _patched and package not in _left_alone]

    @property
    def left_alone(self) -> dict[str, str]:
        """The packages that are as they were, and why."""
        return dict(_left_alone)

    def __repr__(self) -> str:
        return f"Installation(patched={self.patched}, waiting={self.waiting}, left_alone={self.left_alone})"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._began:
            uninstall()


class _Applied:
    """A patch that was made, and what was there before."""

    def __init__(self, patch: Patch) -> None:
        self._patch = patch
        self._before = vars(patch.owner).get(patch.name, _ABSENT)
        setattr(patch.owner, patch.name, patch.value)

    def undo(self) -> None:
        owner, name, value = self._patch
        if vars(owner).get(name) is not value:
            warnings.warn(
                f"{owner.__module__}.{owner.__qualname__}.{name} was patched by others after "
                "ssejet.install(), and is left as it is: take these patches back first",
                RuntimeWarning,
                stacklevel=4,
            )
        elif self._before is _ABSENT:
            delattr(owner, name)
        else:
            setattr(owner, name, self._before)


_ABSENT: Any = object()

_lock = RLock()
_patched: dict[str, list[_Applied]] = {}
_left_alone: dict[str, str] = {}


def _is_installed() -> bool:
    return any(isinstance(finder, _Finder) for finder in sys.meta_path)


def _patch(package: str) -> None:
    if package in _patched or package in _left_alone:
        return
    try:
        # Not under the lock: another thread may hold a lock of the import system, and wait for this one.
        patches = _swap_in(package).PATCHES
    except UnsupportedError as error:
        _left_alone[package] = str(error)
        _warn(package, error, stacklevel=4)
        return
    with _lock:
        if _is_installed() and package not in _patched:
            _patched[package] = [_Applied(patch) for patch in patches]


def _swap_in(package: str) -> Any:
    """The module that knows a package, if the package is of a version that the module knows."""
    try:
        swap_in: Any = import_module(_SWAP_INS[package])
        swap_in.check()
    except UnsupportedError:
        raise
    except Exception as error:
        raise UnsupportedError(f"{type(error).__name__}: {error}") from error
    return swap_in


def _warn(package: str, error: UnsupportedError, *, stacklevel: int) -> None:
    message = f"ssejet leaves {package} {_version(package)} as it is: {error}"
    warnings.warn(message, UnsupportedVersionWarning, stacklevel=stacklevel)


def _version(package: str) -> str:
    known: str | None = getattr(sys.modules.get(package), "__version__", None)
    if known is None:
        with suppress(metadata.PackageNotFoundError):
            known = metadata.version(package)
    return known or "of unknown version"


class _Finder(MetaPathFinder):
    """Finds nothing of its own, but sees to it that the packages are patched that others find."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname not in _SWAP_INS:
            return None
        for finder in sys.meta_path:
            if finder is not self and (spec := finder.find_spec(fullname, path, target)) is not None:
                if spec.loader is not None:
                    spec.loader = _Loader(spec.loader)
                return spec
        return None


class _Loader(Loader):
    """Loads a package as its own loader does, and has it patched."""

    def __init__(self, loader: Any) -> None:
        self._loader = loader

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self._loader.create_module(spec)  # type: ignore[no-any-return]

    def exec_module(self, module: ModuleType) -> None:
        # Whoever asks the module for its resources or its source asks the loader that knows.
        module.__loader__ = self._loader
        if module.__spec__ is not None:
            module.__spec__.loader = self._loader
        self._loader.exec_module(module)
        _patch(module.__name__)
