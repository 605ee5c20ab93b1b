"""Speeds up one client, or a whole process."""

from __future__ import annotations

import sys
import warnings
from importlib.abc import Loader, MetaPathFinder
from threading import RLock
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeVar

from ssejet.swap import UnsupportedVersionWarning
from ssejet.swap import _registry as registry
from ssejet.swap._support import UnsupportedError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType

    from typing_extensions import Self

    from ssejet.swap._support import Patch

__all__ = ["Installation", "PackageReport", "accelerate", "install", "uninstall"]

_ClientT = TypeVar("_ClientT")


def accelerate(client: _ClientT) -> _ClientT:
    """Make a client with fast streams from a client of an SDK.

    The streams of ``create(stream=True)`` and of the ``.stream()`` helpers use ssejet's decoder, which builds
    the items directly from the JSON. Items, errors and their order are the same as the SDK's. The given
    client does not change; both share its HTTP client, as with ``with_options()``.

    ::

        client = ssejet.accelerate(OpenAI())

    Args:
        client: a client of openai, anthropic, google-genai, cohere, mistralai, huggingface_hub or any other
            SDK that Stainless generated, such as groq, together, cerebras, writer, fireworks or perplexity;
            synchronous or asynchronous.

    Returns:
        The new client. Or the given one, with an ``UnsupportedVersionWarning``, if ssejet does not know this
        version of the SDK, or the client's streams are not event streams.

    Raises:
        TypeError: the object is not such a client. The message lists what is known.
    """
    package = registry.sdk_of(client)
    if package is None:
        raise TypeError(_unknown(client))
    try:
        fast: _ClientT = _swap_in(package).accelerate(client)
    except UnsupportedError as error:
        _warn(package, error, stacklevel=3)
        return client
    return fast


def _unknown(value: object) -> str:
    named = [name for name, entry in registry.ENTRIES.items() if entry.is_sdk]
    sdks = ", ".join([*named, *registry.SPEAKEASY])
    others = ", ".join(registry.GENERATED)
    what = f"the class {value.__name__!r}" if isinstance(value, type) else repr(type(value).__name__)
    return (
        f"accelerate() takes a client of {sdks}, or of any other SDK that Stainless generated "
        f"({others}, ...), got {what}. Run `ssejet doctor`, or print(ssejet.install().packages), to see what "
        "is installed here and known"
    )


def install() -> Installation:
    """Speed up all known SDKs throughout the process, and the event sources of httpx-sse and httpx2.

    Packages that are already imported are patched now, the others when they are imported. All streams that
    any client opens from now on are fast. An unknown version is left unchanged, with an
    ``UnsupportedVersionWarning``. A second call changes nothing.

    ::

        ssejet.install()

        with ssejet.install():  # uninstalled at the end of the block
            ...

    Returns:
        A report: what is patched at the moment, what is not, and why. Print it to read it.

    Raises:
        UnsupportedVersionWarning: warnings are errors here, and a version is unknown. Nothing is patched.
    """
    with _lock:
        began = not _is_installed()
        if began:
            sys.meta_path.insert(0, _Finder())
    try:
        for package in registry.imported():
            _patch(package)
    except BaseException:
        if began:
            uninstall()
        raise
    return Installation(began=began)


def uninstall() -> None:
    """Undo ``install``. Streams that are open already go on unchanged."""
    with _lock:
        sys.meta_path[:] = [finder for finder in sys.meta_path if not isinstance(finder, _Finder)]
        _left_alone.clear()
        while _patched:
            _, applied = _patched.popitem()
            for patch in applied:
                patch.undo()


class PackageReport(NamedTuple):
    """What ``install`` made of a package.

    Attributes:
        name: the name of its module.
        version: its version.
        state: ``"swapped"``, ``"waiting"`` until it is imported, or ``"left alone"``.
        reason: why it is left alone, or ``""``.
    """

    name: str
    version: str
    state: Literal["swapped", "waiting", "left alone"]
    reason: str


class Installation:
    """What ``install`` patched. As a context manager, it uninstalls at the end.

    Args:
        began: whether this call of ``install`` patched, and its context manager uninstalls.
    """

    def __init__(self, *, began: bool) -> None:
        self._began = began

    @property
    def patched(self) -> dict[str, str]:
        """The patched packages and their versions."""
        return {package: _version(package) for package in _patched}

    @property
    def waiting(self) -> list[str]:
        """The packages that will be patched when they are imported, whether they are installed or not."""
        return [name for name in registry.ENTRIES if name not in _patched and name not in _left_alone]

    @property
    def left_alone(self) -> dict[str, str]:
        """The packages that are left unchanged, and why."""
        return dict(_left_alone)

    @property
    def packages(self) -> list[PackageReport]:
        """Each known package that is installed, its version, whether it is swapped, and if not why."""
        found = dict.fromkeys([*_patched, *_left_alone, *registry.installed()])
        return [_report(name) for name in found]

    def __repr__(self) -> str:
        return f"Installation(patched={self.patched}, waiting={self.waiting}, left_alone={self.left_alone})"

    def __str__(self) -> str:
        lines = [
            f"{row.name} {row.version}: {row.state}{row.reason and f', {row.reason}'}"
            for row in self.packages
        ]
        return "\n".join(lines) or "no package that ssejet knows is installed"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._began:
            uninstall()


class _Applied:
    """An applied patch, and the original attribute."""

    def __init__(self, patch: Patch) -> None:
        self._patch = patch
        self._before = vars(patch.owner).get(patch.name, _ABSENT)
        setattr(patch.owner, patch.name, patch.value)

    def undo(self) -> None:
        owner, name, value = self._patch
        if vars(owner).get(name) is not value:
            where = f"{owner.__module__}.{owner.__qualname__}" if isinstance(owner, type) else owner.__name__
            warnings.warn(
                f"{where}.{name} was patched by others after "
                "ssejet.install(), and is left as it is: undo those patches first",
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


def _report(name: str) -> PackageReport:
    if name in _patched:
        return PackageReport(name, _version(name), "swapped", "")
    if name in _left_alone:
        return PackageReport(name, _version(name), "left alone", _left_alone[name])
    return PackageReport(name, _version(name), "waiting", "")


def _is_installed() -> bool:
    return any(isinstance(finder, _Finder) for finder in sys.meta_path)


def _patch(package: str) -> None:
    if package in _patched or package in _left_alone:
        return
    try:
        # Without the lock: another thread may hold an import lock and wait for this one.
        patches = _swap_in(package).PATCHES
    except UnsupportedError as error:
        _left_alone[package] = str(error)
        entry = registry.ENTRIES.get(package)
        if entry is None or not entry.is_quiet:
            _warn(package, error, stacklevel=4)
        return
    with _lock:
        if _is_installed() and package not in _patched:
            _patched[package] = [_Applied(patch) for patch in patches]


def _swap_in(package: str) -> Any:
    """Make the swap-in for a package, if it knows the package's version."""
    try:
        swap_in: Any = registry.swap_in(package)
        swap_in.check()
    except UnsupportedError:
        raise
    except (AttributeError, ImportError) as error:
        # Python ends the text of some import errors with a path of this machine.
        what = str(error).removesuffix(f" ({getattr(error, 'path', None)})")
        raise UnsupportedError(f"it lacks what ssejet builds on: {what}") from error
    except Exception as error:
        raise UnsupportedError(f"{type(error).__name__}: {error}") from error
    return swap_in


def _warn(package: str, error: UnsupportedError, *, stacklevel: int) -> None:
    message = f"ssejet leaves {package} {_version(package)} as it is: {error}"
    warnings.warn(message, UnsupportedVersionWarning, stacklevel=stacklevel)


def _version(package: str) -> str:
    return registry.version(package) or "of unknown version"


class _Finder(MetaPathFinder):
    """Wraps the loaders that other finders find, so that the packages are patched."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if not registry.is_awaited(fullname):
            return None
        for finder in sys.meta_path:
            if finder is not self and (spec := finder.find_spec(fullname, path, target)) is not None:
                if spec.loader is not None:
                    spec.loader = _Loader(spec.loader)
                return spec
        return None


class _Loader(Loader):
    """Loads a package with its own loader, then patches it."""

    def __init__(self, loader: Any) -> None:
        self._loader = loader

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self._loader.create_module(spec)  # type: ignore[no-any-return]

    def exec_module(self, module: ModuleType) -> None:
        # The module's resources and source are read from its own loader.
        module.__loader__ = self._loader
        if module.__spec__ is not None:
            module.__spec__.loader = self._loader
        self._loader.exec_module(module)
        package = registry.loaded(module)
        if package is not None:
            _patch(package)
