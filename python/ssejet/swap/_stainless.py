"""The swap-in for SDKs that Stainless generated, such as openai, anthropic, groq and together.

They are recognised by their structure: the modules ``_base_client``, ``_streaming``, ``_models`` and
``_compat``, and what these contain. What an SDK does with an event is not read from its code but tried out,
see `ssejet.swap._stainless_rules`.
"""

from __future__ import annotations

from copy import copy
from functools import cached_property, wraps
from importlib import import_module
from inspect import getattr_static, isclass
from types import new_class
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar, get_args, get_origin
from weakref import WeakValueDictionary, ref

from ssejet._core import AsyncItemStream, ItemDecoder, ItemStream
from ssejet._http.direct import ResponseBytes
from ssejet.swap._driver import EventDecoder, Relay, adrive, drive
from ssejet.swap._plan.builder import Builder, Models, builder, other_bases
from ssejet.swap._plan.probe import compare
from ssejet.swap._stainless_rules import Rules
from ssejet.swap._support import Patch, UnsupportedError
from ssejet.swap._twins import names_of

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

__all__ = ["Package", "StainlessSwapIn", "derived", "give_managers"]

_T = TypeVar("_T")

_PARTS = {
    "_base_client": ("BaseClient", "SyncAPIClient", "AsyncAPIClient"),
    "_streaming": ("Stream", "AsyncStream"),
    "_models": ("BaseModel", "construct_type", "_construct_field"),
    "_compat": ("field_get_default",),
}
_METHODS = {
    "BaseClient": (
        "_make_sse_decoder",
        "_process_response_data",
    ),
    "SyncAPIClient": ("_process_response",),
    "AsyncAPIClient": ("_process_response",),
    "Stream": ("__stream__", "__iter__", "_iter_events"),
    "AsyncStream": ("__stream__", "__aiter__", "_iter_events"),
}


class Package:
    """The parts of an SDK.

    Attributes:
        name: its name, such as ``"groq"`` or ``"cerebras.cloud.sdk"``.
        base_client: the base class of all its clients.
        clients: the base classes of its synchronous and its asynchronous clients.
        stream, async_stream: the classes of its streams.
        models: its functions for models.
    """

    def __init__(self, name: str) -> None:
        """Find the parts.

        Raises:
            UnsupportedError: one is missing.
        """
        found: dict[str, Any] = {}
        for module_name, names in _PARTS.items():
            module = import_module(f"{name}.{module_name}")
            for each in names:
                found[each] = getattr(module, each, None)
                if found[each] is None:
                    raise UnsupportedError(f"its module {module_name} has no {each}")
        for class_name, methods in _METHODS.items():
            for method in methods:
                if not callable(getattr(found[class_name], method, None)):
                    raise UnsupportedError(f"its class {class_name} has no method {method}()")
        self.name = name
        self.base_client: Any = found["BaseClient"]
        self.clients = (found["SyncAPIClient"], found["AsyncAPIClient"])
        self.stream: Any = found["Stream"]
        self.async_stream: Any = found["AsyncStream"]
        self.models = Models(
            found["BaseModel"],
            found["construct_type"],
            found["_construct_field"],
            found["field_get_default"],
            other_bases(import_module(f"{name}._models"), found["BaseModel"]),
        )


def iterator(self: Any) -> Any:
    """Replace ``Stream.__iter__``. That of the SDKs adds a generator around the stream's iterator."""
    return self._iterator


class StainlessSwapIn:
    """Makes the streams of one SDK fast.

    A subclass says what is special about an SDK.

    Attributes:
        PATCHES: what ``install()`` changes.
    """

    wrapped: ClassVar[str | None] = None
    """The start of the types of events whose items have the fields ``data`` and ``event``."""

    def __init__(self, name: str, more_patches: Collection[Patch] = ()) -> None:
        """Make the swap-in for the SDK of this name.

        Args:
            name: the SDK's name.
            more_patches: what else is to be patched.

        Raises:
            UnsupportedError: the SDK differs from what is expected.
        """
        self.package = package = Package(name)
        self._stock_decoder = package.base_client._make_sse_decoder
        self._stock_process = package.base_client._process_response_data
        self._rules: Rules | None = None
        self._checked = False
        stream, async_stream = package.stream, package.async_stream
        self.PATCHES = [
            Patch(package.base_client, "_make_sse_decoder", self._make_sse_decoder()),
            Patch(stream, "__stream__", self._stream_method(stream.__stream__, is_async=False)),
            Patch(stream, "__iter__", self.iterator(stream.__iter__)),
            Patch(async_stream, "__stream__", self._stream_method(async_stream.__stream__, is_async=True)),
            Patch(async_stream, "__aiter__", self.iterator(async_stream.__aiter__)),
            *more_patches,
        ]
        self.streams = {cls: derived(cls, self.PATCHES) for cls in (stream, async_stream)}
        self.mixin = type(
            "_Accelerated", (self.client_changes(),), {"_make_sse_decoder": self.PATCHES[0].value}
        )
        self._accelerated: WeakValueDictionary[ref[type], type] = WeakValueDictionary()

    def client_changes(self) -> type:
        """Give a class whose attributes accelerated clients have."""
        return object

    def iterator(self, stock: Callable[[Any], Any]) -> Callable[[Any], Any]:
        """Make a ``Stream.__iter__``."""
        return wraps(stock)(iterator)

    def may_build(self, stream: Any) -> bool:
        """Whether the items of a stream need no unusual treatment."""
        return True

    def only(self, stream: Any, names: list[str]) -> list[str]:
        """Give the types of the events that become items of a stream.

        Args:
            stream: the stream.
            names: the types of which the SDK makes items of the event's data alone.
        """
        return names

    @property
    def rules(self) -> Rules:
        """What the SDK does with events."""
        if self._rules is None:
            package = self.package
            self._rules = Rules(self._stock_stream, package.clients[0])
        return self._rules

    @property
    def _stock_stream(self) -> Any:
        # Unlike the SDK's class, it stays as it was when the SDK is patched.
        package = self.package
        stock = {name: getattr(package.stream, name) for name in ("__stream__", "__iter__")}
        if self._is_patched():
            raise UnsupportedError("it was patched before its rules were tried out")
        return new_class("Stream", (package.stream[_T],), exec_body=lambda names: names.update(stock))

    def _is_patched(self) -> bool:
        return self.package.stream.__stream__ is self.PATCHES[1].value

    def check(self) -> None:
        """Check that this version of the SDK works as expected.

        Raises:
            UnsupportedError: it does not.
        """
        if self._checked:
            return
        package = self.package
        idle = self.rules.idle
        for client in package.clients:
            clients = (client, self.accelerated(client))
            streams = {
                stock: fast
                for stock, fast in self.streams.items()
                if (stock is package.async_stream) == (client is package.clients[1])
            }
            for base in (package.models.base, *package.models.other_bases):
                compare(streams, clients, base, idle.event or "")
        self._checked = True

    def decoder_for(self, stream: Any) -> ItemDecoder | None:
        """Make the decoder for a stream; None if the SDK must read it."""
        builder = self._builder(stream)
        if builder is None or not self.may_build(stream):
            return None
        rules = self.rules
        only = self.only(stream, [*rules.known, *rules.plain(builder.tags, builder.tag_key)])
        return ItemDecoder(
            builder.assembler,
            dialect="openai",
            only=only,
            wrapped=self.wrapped,
            error_key=rules.error_key,
        )

    def _builder(self, stream: Any) -> Builder | None:
        """Give the builder of a stream's items, or None if its client or its items are unusual."""
        client, cast_to = stream._client, stream._cast_to
        if (
            type(stream._decoder) is not EventDecoder
            or client._strict_response_validation
            or type(client)._process_response_data is not self._stock_process
            or (isclass(cast_to) and hasattr(cast_to, "build"))
        ):
            return None
        return builder(cast_to, self.package.models)

    def _make_sse_decoder(self) -> Callable[[Any], EventDecoder]:
        def _make_sse_decoder(_: Any) -> EventDecoder:
            return EventDecoder("openai")

        return _make_sse_decoder

    def _stream_method(self, stock: Callable[[Any], Any], *, is_async: bool) -> Callable[[Any], Any]:
        @wraps(stock)
        def stream(stream: Any) -> Any:
            decoder = self.decoder_for(stream)
            if decoder is None:
                return stock(stream)
            # The SDK's generator gets a copy, so that it and the stream do not keep each other alive.
            twin = copy(stream)
            # Where no type of events becomes items of the data alone, none is learned.
            learn = self.learn if self.only(stream, [""]) else None
            twin._decoder = relay = Relay(self.rules.idle, learn)
            response = stream.response
            if is_async:
                reader = adrive(ResponseBytes(response), decoder, relay, stock(twin), response)
                return AsyncItemStream(decoder, reader)
            return ItemStream(decoder, drive(ResponseBytes(response), decoder, relay, stock(twin), response))

        return stream

    def learn(self, event_type: str) -> bool:
        """Whether the SDK makes items of the data alone of events of this type."""
        return event_type in self.rules.plain([event_type])

    def accelerated(self, cls: type) -> type:
        """Make a subclass of a client's class that uses the fast stream classes.

        There is one for each class, which lives as long as its clients.
        """
        # A strong reference to the subclass would keep the user's class, its base, alive.
        known = self._accelerated.get(ref(cls))
        if known is not None:
            return known
        streams = self.streams

        def _process_response(self: Any, **response: Any) -> Any:
            stream_cls = response["stream_cls"]
            fast = streams.get(get_origin(stream_cls))
            if fast is not None:
                response["stream_cls"] = fast[get_args(stream_cls)]
            return cls._process_response(self, **response)  # type: ignore[attr-defined]

        names = {"_process_response": _process_response, **names_of(cls)}
        made = type(cls.__name__, (self.mixin, cls), names)
        self._accelerated[ref(cls)] = made
        return made

    def accelerate(self, client: Any) -> Any:
        """Make a client with fast streams, see ``ssejet.accelerate``.

        Raises:
            UnsupportedError: its streams are not event streams.
        """
        cls: Any = type(client)
        if isinstance(client, self.mixin):
            return client
        if cls._make_sse_decoder not in {self._stock_decoder, self.PATCHES[0].value}:
            raise UnsupportedError(f"the streams of {cls.__name__} are not event streams")
        return self._remade(client, self.accelerated(cls))

    def _remade(self, client: Any, cls: type) -> Any:
        """Copy a client into a subclass of its class.

        Both share what ``with_options()`` shares, such as the HTTP client. Resources such as ``client.chat``
        refer to their client, so the copy gets new ones.
        """
        twin: Any = object.__new__(cls)
        for name, value in vars(client).items():
            is_made_on_access = isinstance(getattr_static(type(client), name, None), cached_property)
            if not self._is_part(client, value, is_made_on_access):
                vars(twin)[name] = value
            elif not is_made_on_access:
                vars(twin)[name] = type(value)(twin)
        return twin

    def _is_part(self, client: Any, value: Any, is_made_on_access: bool) -> bool:
        """Whether a value is the SDK's and refers to the client."""
        cls = type(value)
        if not cls.__module__.startswith(f"{self.package.name}."):
            return False
        # The wrappers of a resource's methods are made with the client, but do not refer to it.
        is_wrapper = cls.__name__.endswith(_WRAPPERS)
        return is_made_on_access or is_wrapper or getattr(value, "_client", None) is client


_WRAPPERS = ("WithRawResponse", "WithStreamedResponse", "WithStreamingResponse")


def derived(cls: Any, patches: Collection[Patch]) -> Any:
    """Make a subclass of one of the SDK's classes, with the patches."""
    # Not generic in older versions.
    base = cls[_T] if hasattr(cls, "__class_getitem__") else cls
    attributes = {patch.name: patch.value for patch in patches if issubclass(cls, patch.owner)}
    attributes |= names_of(cls)
    return new_class(cls.__name__, (base,), exec_body=lambda names: names.update(attributes))


def give_managers(resource: Any, managers: dict[Any, Any]) -> None:
    """Let the ``stream()`` of a resource return managers of other classes, given by the SDK's own."""
    stock = getattr(resource, "stream", None)
    if stock is None:
        return  # older versions have it elsewhere

    @wraps(stock)
    def stream(*args: Any, **kwargs: Any) -> Any:
        manager = stock(*args, **kwargs)
        manager.__class__ = managers.get(type(manager), type(manager))
        return manager

    resource.stream = stream
