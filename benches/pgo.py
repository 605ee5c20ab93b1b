"""The training run of profile-guided optimisation (`maturin build --pgo`): all workloads and interfaces."""

from __future__ import annotations

from benches.workloads import all_workloads
from ssejet import Decoder

PASSES = 20


def main() -> None:
    for workload in all_workloads():
        for _ in range(PASSES):
            feed = Decoder().feed
            for chunk in workload.chunks:
                feed(chunk)
            for _ in Decoder().iter_bytes(workload.chunks):
                pass


if __name__ == "__main__":
    main()
