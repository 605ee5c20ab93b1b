from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from ssejet.emit import EventStream, Failure
from ssejet.emit._emit_machine import HEARTBEAT, EmitMachine, State

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

SENT = b"data: a\n\n"
ERROR = ValueError("no")


def machine_in(state: State) -> EmitMachine:
    machine = EventStream(done="end", on_error=lambda _: "error").machine()
    if state is State.CLOSING:
        machine.close_source()
    if state is State.ENDED:
        list(machine.stop())
    return machine


def sends_error(machine: EmitMachine) -> Iterable[bytes]:
    return machine.fail(ERROR)


def closes_source(machine: EmitMachine) -> Iterable[bytes]:
    machine.close_source()
    return ()


INPUTS: dict[str, Callable[[EmitMachine], Iterable[bytes]]] = {
    "an item": lambda machine: machine.feed("a"),
    "a heartbeat": lambda machine: machine.feed(HEARTBEAT),
    "an exception": sends_error,
    "the end": lambda machine: machine.finish(),
    "a stop": lambda machine: machine.stop("a"),
    "a close": closes_source,
}

SENDING, CLOSING, ENDED = State
TRANSITIONS: dict[tuple[State, str], tuple[Any, State]] = {
    (SENDING, "an item"): ([SENT], SENDING),
    (SENDING, "a heartbeat"): ([b": keep-alive\n\n"], SENDING),
    (SENDING, "an exception"): ([b"data: error\n\n"], ENDED),
    (SENDING, "the end"): ([b"data: end\n\n"], ENDED),
    (SENDING, "a stop"): ([SENT], ENDED),
    (SENDING, "a close"): ([], CLOSING),
    (CLOSING, "an item"): ([SENT], CLOSING),
    (CLOSING, "a heartbeat"): ([b": keep-alive\n\n"], CLOSING),
    (CLOSING, "an exception"): (ERROR, CLOSING),
    (CLOSING, "the end"): ([b"data: end\n\n"], ENDED),
    (CLOSING, "a stop"): ([SENT], ENDED),
    (CLOSING, "a close"): ([], CLOSING),
    (ENDED, "an item"): ([], ENDED),
    (ENDED, "a heartbeat"): ([], ENDED),
    (ENDED, "an exception"): (ERROR, ENDED),
    (ENDED, "the end"): ([], ENDED),
    (ENDED, "a stop"): ([], ENDED),
    (ENDED, "a close"): ([], ENDED),
}


@pytest.mark.parametrize(("state", "name"), TRANSITIONS, ids=str)
def test_a_machine_follows_its_table(state: State, name: str) -> None:
    outcome, next_state = TRANSITIONS[state, name]
    machine = machine_in(state)
    if isinstance(outcome, Exception):
        with pytest.raises(ValueError, match="no"):
            list(INPUTS[name](machine))
    else:
        assert list(INPUTS[name](machine)) == outcome
    assert machine.state is next_state


def test_a_simulated_failure_ends_a_machine() -> None:
    machine = EventStream(fail_after=Failure(events=1, error=None)).machine()
    assert list(machine.feed("a")) == [SENT]
    assert machine.state is State.ENDED


@pytest.mark.parametrize("sent_before", [True, False])
def test_a_refusal_is_raised_only_if_nothing_was_sent_before(sent_before: bool) -> None:
    machine = machine_in(State.SENDING)
    machine.refusals = (ValueError,)
    if sent_before:
        list(machine.feed("a"))
        assert list(machine.fail(ERROR)) == [b"data: error\n\n"]
    else:
        with pytest.raises(ValueError, match="no"):
            list(machine.fail(ERROR))
    assert machine.state is State.ENDED
