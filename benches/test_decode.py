"""Measures the Python decoders with pytest-benchmark: `pytest benches --benchmark-columns=median,iqr,rounds`.

The contestants run one after the other here. For ratios, use `python -m benches.run`, where they take turns.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from benches.peers import all_peers
from benches.workloads import all_workloads

if TYPE_CHECKING:
    from pytest_benchmark.fixture import BenchmarkFixture

    from benches.peers import Floor, LoopFloor, Peer
    from benches.workloads import Workload


@pytest.mark.parametrize("peer", all_peers()[0], ids=lambda peer: peer.name)
@pytest.mark.parametrize("workload", all_workloads(), ids=lambda workload: workload.name)
def test_decoding(benchmark: BenchmarkFixture, workload: Workload, peer: Peer | Floor | LoopFloor) -> None:
    if reason := peer.check(workload):
        pytest.skip(reason)
    benchmark.group = workload.title
    benchmark.extra_info["version"] = peer.version
    benchmark.extra_info["events"] = len(workload.data)
    benchmark(peer.decode, workload.chunks)
