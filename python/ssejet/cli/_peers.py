"""Measures decoders: ours and those of other packages, on the same bytes.

Only the decoders run, each fed as its own package feeds it, without sockets, JSON or models. This module and
``swap`` are the only ones that import SDKs, here only to time them.
"""

from __future__ import annotations

import gc
import time
from codecs import getincrementaldecoder
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from importlib import import_module, metadata
from statistics import median
from typing import TypeAlias

from ssejet import Decoder

__all__ = ["Cost", "measure"]

_OURS = "ssejet"
_SECONDS = 1.0
_FEWEST_ROUNDS = 7

Decode: TypeAlias = Callable[[Iterable[bytes]], Iterator[object]]


@dataclass(frozen=True)
class Cost:
    """The cost of one decoder.

    Attributes:
        name: the distribution's name.
        version: its version, or None if it is not installed.
        per_event: the median of seconds per event, or None if it was not measured.
        note: why it was not measured, else ``""``.
    """

    name: str
    version: str | None
    per_event: float | None = None
    note: str = ""


def measure(chunks: Sequence[bytes], on_progress: Callable[[str, float], None]) -> tuple[float, list[Cost]]:
    """Time our decoder and every other one that is installed, on the same chunks.

    The decoders take turns, so a busy moment of the machine affects all of them. The results are medians.

    Args:
        chunks: the reads of a response.
        on_progress: called with the current step and the finished part, from 0 to 1.

    Returns:
        Our decoder's seconds per event, and the costs of the others.
    """
    expected = _count(_ours, chunks)
    peers: list[Cost] = []
    decoders: dict[str, Decode] = {_OURS: _ours}
    for index, (name, load) in enumerate(_LOADERS.items()):
        on_progress(f"loading {name}", 0.5 * index / len(_LOADERS))
        version, note = None, ""
        try:
            version = metadata.version(name)
            decode = load()
            if _count(decode, chunks) == expected:
                decoders[name] = decode
            else:
                note = "decodes this stream wrongly"
        except metadata.PackageNotFoundError:
            note = "not installed"
        except Exception as error:  # other internals, or a failure on this stream
            note = f"not measured: {error}"
        peers.append(Cost(name, version, note=note))

    times = _take_turns(decoders, chunks, lambda part: on_progress("measuring", 0.5 + 0.5 * part))
    seconds = {name: median(taken) / expected for name, taken in times.items()}
    return seconds[_OURS], [replace(peer, per_event=seconds.get(peer.name)) for peer in peers]


def _take_turns(
    decoders: dict[str, Decode], chunks: Sequence[bytes], on_progress: Callable[[float], None]
) -> dict[str, list[float]]:
    times: dict[str, list[float]] = {name: [] for name in decoders}
    collecting = gc.isenabled()
    gc.disable()
    try:
        start = time.perf_counter()
        rounds = 0
        while (elapsed := time.perf_counter() - start) < _SECONDS or rounds < _FEWEST_ROUNDS:
            on_progress(min(1.0, elapsed / _SECONDS))
            for name, decode in decoders.items():
                before = time.perf_counter()
                deque(decode(chunks), maxlen=0)
                times[name].append(time.perf_counter() - before)
            rounds += 1
    finally:
        if collecting:
            gc.enable()
    return times


def _count(decode: Decode, chunks: Sequence[bytes]) -> int:
    return sum(1 for _ in decode(chunks))


def _ours(chunks: Iterable[bytes]) -> Iterator[object]:
    return Decoder().iter_bytes(chunks)


def _sdk(name: str) -> Decode:
    streaming = import_module(f"{name}._streaming")
    return lambda chunks: streaming.SSEDecoder().iter_bytes(iter(chunks))


def _httpx_sse() -> Decode:
    decoders = import_module("httpx_sse._decoders")

    def decode(chunks: Iterable[bytes]) -> Iterator[object]:
        text = getincrementaldecoder("utf-8")("replace")
        lines, events = decoders.SSELineDecoder(), decoders.SSEDecoder()
        for chunk in chunks:
            for line in lines.decode(text.decode(chunk)):
                event = events.decode(line.rstrip("\n"))
                if event is not None:
                    yield event

    return decode


def _httpx2() -> Decode:
    sse = import_module("httpx2._sse")

    def decode(chunks: Iterable[bytes]) -> Iterator[object]:
        text = getincrementaldecoder("utf-8")("replace")
        parser = sse._SSEParser()
        for chunk in chunks:
            yield from parser.decode(text.decode(chunk))

    return decode


def _sseclient() -> Decode:
    sseclient = import_module("sseclient")
    return lambda chunks: sseclient.SSEClient(chunks).events()


# By distribution. Some packages have no public name for their decoder.
_LOADERS: dict[str, Callable[[], Decode]] = {
    "openai": partial(_sdk, "openai"),
    "anthropic": partial(_sdk, "anthropic"),
    "httpx-sse": _httpx_sse,
    "httpx2": _httpx2,
    "sseclient-py": _sseclient,
}
