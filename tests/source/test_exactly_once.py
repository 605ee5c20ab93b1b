from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from fault_strategies import schedules, sources
from subscribers import SUBSCRIBERS, AsyncSubscriber, SyncSubscriber

if TYPE_CHECKING:
    from faults import Fault, FaultServer
    from ssejet import SSEError

pytestmark = pytest.mark.slow

# In seconds. So short that waiting for a stalled server takes no time; a server that is only slow is then
# left and asked again, which must do no harm either.
IDLE_TIMEOUT = 0.1

# More failures than any schedule has, so that a subscriber which comes to no end fails.
MANY = 500


@given(st.sampled_from(SUBSCRIBERS), sources(), schedules)
@settings(max_examples=100)
def test_a_subscriber_gets_every_event_once_after_any_failures(
    faults: FaultServer,
    subscriber: SyncSubscriber | AsyncSubscriber,
    blocks: list[tuple[bytes, str]],
    schedule: list[Fault],
) -> None:
    errors: list[SSEError] = []

    def try_again(error: SSEError) -> bool:
        errors.append(error)
        return len(errors) < MANY

    source = faults.source(*(block for block, _ in blocks), faults=schedule)
    outcome = subscriber.read(
        source.url, reconnection_time=0, max_backoff=0.005, idle_timeout=IDLE_TIMEOUT, on_error=try_again
    )
    assert outcome.data == [data for _, data in blocks]
    assert [each.id for each in outcome.events] == [str(number) for number in range(1, len(blocks) + 1)]
    assert outcome.tasks_left == 0
    for error in errors:
        event(type(error).__name__)
    faults.wait_until(lambda: faults.connections == 0)
