from __future__ import annotations

from benches import sending


def test_both_ways_send_the_same_bytes() -> None:
    (pace, *_) = sending.PACED
    figures = sending.compare(1, [pace])  # it complains about other bytes
    assert all(figure > 0 for way in sending.WAYS for figure in figures[pace][way])
