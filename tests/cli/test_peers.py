from __future__ import annotations

from importlib import metadata
from typing import Any

import pytest

from ssejet.cli import _peers
from ssejet.cli._peers import measure

CHUNKS = [b'data: {"n": %d}\n\n' % n for n in range(50)]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_peers, "_SECONDS", 0.001)


def by_name(chunks: list[bytes]) -> dict[str, _peers.Cost]:
    return {cost.name: cost for cost in measure(chunks, lambda _what, _part: None)[1]}


@pytest.mark.parametrize("name", ["openai", "anthropic", "httpx-sse", "httpx2"])
def test_a_peer_that_is_installed_is_measured(name: str) -> None:
    cost = by_name(CHUNKS)[name]
    assert cost.version == metadata.version(name)
    assert cost.note == ""
    assert cost.per_event is not None
    assert cost.per_event > 0


def test_our_own_cost_is_measured() -> None:
    assert measure(CHUNKS, lambda _what, _part: None)[0] > 0


def test_a_peer_that_is_not_installed_is_said_to_be_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(_peers._LOADERS, "no-such-package", lambda: _peers._ours)
    cost = by_name(CHUNKS)["no-such-package"]
    assert (cost.version, cost.per_event, cost.note) == (None, None, "not installed")


def test_a_peer_whose_inside_has_changed_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    def moved() -> Any:
        raise AttributeError("no SSEDecoder")

    monkeypatch.setitem(_peers._LOADERS, "openai", moved)
    cost = by_name(CHUNKS)["openai"]
    assert (cost.version, cost.per_event) == (metadata.version("openai"), None)
    assert cost.note == "not measured: no SSEDecoder"


def test_a_peer_that_decodes_wrongly_gets_no_time() -> None:
    # httpx-sse loses the event behind a byte order mark.
    cost = by_name([b"\xef\xbb\xbfdata: first\n\n", *CHUNKS])["httpx-sse"]
    assert (cost.per_event, cost.note) == (None, "decodes this stream wrongly")


def test_progress_goes_from_0_to_1() -> None:
    parts: list[float] = []
    measure(CHUNKS, lambda _what, part: parts.append(part))
    assert parts[0] == 0.0
    assert parts == sorted(parts)
    assert parts[-1] <= 1.0
