"""What the swap-ins for openai-python and anthropic-sdk-python share: both SDKs come from one generator."""

from __future__ import annotations

from copy import copy
from functools import wraps
from inspect import isclass
from types import new_class
from typing import TYPE_CHECKING, Any, TypeVar, get_args, get_origin
from weakref import WeakValueDictionary, ref

from ssejet.swap._driver import EventDecoder, Relay, adrive, drive
from ssejet.swap._plan.builder import Builder, Models, builder

if TYPE_CHECKING:
    from collections.abc import Callable

    from ssejet._core import ItemDecoder, ServerSentEvent
    from ssejet.swap._support import Patch

__all__ = ["accelerated", "async_stream", "derived", "remade", "sync_stream", "usual_builder"]

_T = TypeVar("_T")


def usual_builder(stream: Any, models: Models, process_response_data: Any) -> Builder | None:
    """The builder of a stream's items, or None if its client or its items are out of the ordinary.

    Args:
        stream: the stream, just made.
        models: the SDK's ways.
        process_response_data: the SDK's method of that name, which a client must not have replaced.
    """
    client, cast_to = stream._client, stream._cast_to
    if (
        type(stream._decoder) is not EventDecoder
        or client._strict_response_validation
        or type(client)._process_response_data is not process_response_data
        or (isclass(cast_to) and hasattr(cast_to, "build"))
    ):
        return None
    return builder(cast_to, models)


def sync_stream(
    stock: Callable[[Any], Any], decoder_for: Callable[[Any], ItemDecoder | None], idle: ServerSentEvent
) -> Callable[[Any], Any]:
    """Make a ``Stream.__stream__`` out of the SDK's.

    Args:
        stock: the SDK's.
        decoder_for: gives the decoder for a stream, or None for one that is the SDK's to read.
        idle: an event that the SDK makes an item of, see ``Relay``.
    """

    @wraps(stock)
    def stream(self: Any) -> Any:
        decoder = decoder_for(self)
        if decoder is None:
            return stock(self)
        # The SDK's generator works for a copy, so that it and the stream do not keep each other alive.
        twin = copy(self)
        twin._decoder = relay = Relay(idle)
        return drive(self.response.iter_bytes(), decoder, relay, stock(twin), self.response)

    return stream


def async_stream(
    stock: Callable[[Any], Any], decoder_for: Callable[[Any], ItemDecoder | None], idle: ServerSentEvent
) -> Callable[[Any], Any]:
    """Make an ``AsyncStream.__stream__`` out of the SDK's, see ``sync_stream``."""

    @wraps(stock)
    def stream(self: Any) -> Any:
        decoder = decoder_for(self)
        if decoder is None:
            return stock(self)
        twin = copy(self)
        twin._decoder = relay = Relay(idle)
        return adrive(self.response.aiter_bytes(), decoder, relay, stock(twin), self.response)

    return stream


def derived(cls: Any, patches: list[Patch]) -> Any:
    """A subclass of a generic class of the SDK's, which has the patches."""
    attributes = {patch.name: patch.value for patch in patches if issubclass(cls, patch.owner)}
    return new_class(cls.__name__, (cls[_T],), exec_body=lambda names: names.update(attributes | _guise(cls)))


_accelerated_classes: WeakValueDictionary[ref[type], type] = WeakValueDictionary()


def accelerated(cls: type, mixin: type, streams: dict[Any, Any]) -> type:
    """A subclass of a client's class, which asks for other streams.

    There is one at a time for each class. It lives as long as its clients do.

    Args:
        cls: the client's class.
        mixin: what else it does otherwise.
        streams: the stream classes to take, by the SDK's own.
    """
    # The subclass refers to its base, so a strong reference to it would keep a user's class alive.
    known = _accelerated_classes.get(ref(cls))
    if known is not None:
        return known

    def _process_response(self: Any, **response: Any) -> Any:
        stream_cls = response["stream_cls"]
        fast = streams.get(get_origin(stream_cls))
        if fast is not None:
            response["stream_cls"] = fast[get_args(stream_cls)]
        return cls._process_response(self, **response)  # type: ignore[attr-defined]

    made = type(cls.__name__, (mixin, cls), {"_process_response": _process_response, **_guise(cls)})
    _accelerated_classes[ref(cls)] = made
    return made


def _guise(cls: type) -> dict[str, Any]:
    # A client sends its class's name, and users read it.
    return {"__module__": cls.__module__, "__qualname__": cls.__qualname__, "__doc__": cls.__doc__}


def remade(client: Any, cls: type) -> Any:
    """Copy a client into another class, which is derived from its own.

    The two share what a client and its ``with_options()`` share, the HTTP client above all. Resources, such
    as ``client.chat``, know their client, and are made anew.
    """
    twin: Any = object.__new__(cls)
    for name, value in vars(client).items():
        if getattr(value, "_client", None) is not client or not _is_of_an_sdk(value):
            vars(twin)[name] = value
        elif not hasattr(type(client), name):  # any other is made when it is asked for
            vars(twin)[name] = type(value)(twin)
    return twin


def _is_of_an_sdk(value: Any) -> bool:
    return type(value).__module__.startswith(("openai.", "anthropic."))
