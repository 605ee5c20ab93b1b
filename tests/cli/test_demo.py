from __future__ import annotations

import json
import re
import signal
from importlib import metadata
from typing import TYPE_CHECKING

import pytest
from command import Running, on_terminal, run
from rich.cells import cell_len

from ssejet import Decoder
from ssejet.cli._recording import load

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.slow

FRAMES = load("chat")
EVENTS = [event for frame in FRAMES for event in Decoder().feed(frame.data)]
TEXT = "".join(
    choice["delta"].get("content", "")
    for event in EVENTS
    if event.data != "[DONE]"
    for choice in json.loads(event.data)["choices"]
)
ESCAPE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


@pytest.fixture(scope="module")
def written() -> str:
    """What the command writes into a file, where every request to another machine would fail."""
    nowhere = "http://127.0.0.1:1"
    done = run("demo", "--fast", HTTP_PROXY=nowhere, ALL_PROXY=nowhere)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_the_text_arrives_whole(written: str) -> None:
    assert f"\n\n{TEXT}\n\n" in written


def test_output_that_is_no_terminal_gets_no_escape_sequences(written: str) -> None:
    assert "\x1b" not in written
    assert "\r" not in written


def test_the_summary_counts_what_the_server_sent(written: str) -> None:
    assert re.search(r"time to first token +[\d,]+ ms", written)
    assert re.search(r"tokens per second +[\d,]+", written)
    assert re.search(rf"events +{len(EVENTS)}\b", written)
    assert re.search(rf"bytes +{sum(len(frame.data) for frame in FRAMES):,}", written)


def test_our_decoder_is_compared_with_the_installed_peers(written: str) -> None:
    assert re.search(rf"ssejet {metadata.version('ssejet')} +[\d,]+ ns +━", written)
    for name in ("openai", "anthropic", "httpx-sse", "httpx2"):
        assert re.search(rf"{name} {re.escape(metadata.version(name))} +[\d,]+ ns +[\d.]+× +━", written)


def test_a_narrow_terminal_gets_lines_that_fit_and_a_progress_bar_that_goes_again() -> None:
    status, output = on_terminal("demo", "--pace", "20", columns=60)
    assert status == 0
    assert "\x1b[1m> What are" in output
    assert "measuring" in output
    # Each frame is wiped by the next, and the last one from the line below.
    left = re.sub(r".*(\r\x1b\[2K|\r\n\x1b\[\?25h\r\x1b\[1A\x1b\[2K)", "", output)
    assert "measuring" not in left
    assert max(cell_len(line) for line in ESCAPE.sub("", left).splitlines()) <= 60


def test_no_color_makes_a_terminal_plain() -> None:
    _, output = on_terminal("demo", "--fast", NO_COLOR="1")
    assert not re.search(r"\x1b\[[0-9;]*m", output)


def test_ctrl_c_ends_it_without_a_message(start: Callable[..., Running]) -> None:
    process = start("demo", "--pace", "0.05")
    assert process.stdout.readline().startswith("POST http://127.0.0.1:")
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate()
    assert (process.returncode, errors) == (130, "")


def test_a_reader_who_leaves_ends_it_quietly(start: Callable[..., Running]) -> None:
    process = start("demo", "--pace", "5")
    process.stdout.readline()
    process.stdout.close()
    assert process.wait() == 0
    assert process.stderr.read() == ""


@pytest.mark.parametrize("pace", ["0", "-1", "nan"])
def test_a_pace_that_never_arrives_is_refused(pace: str) -> None:
    done = run("demo", "--pace", pace)
    assert done.returncode == 2
    assert "must be more than 0" in done.stderr
