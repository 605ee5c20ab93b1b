"""``connect()`` in Node, on the cases of event sources that ``subscribe()`` is tested with."""

from __future__ import annotations

import json
import subprocess
import threading
from typing import Any

import node

import ssejet
from event_source_cases import CASES, Run


class RunInNode(Run):
    """A case that Node reads. It sends lines of JSON about it."""

    def take(self, told: dict[str, Any]) -> None:
        if "event" in told:
            self.add(ssejet.ServerSentEvent(**told["event"], retry=None))
        elif "retry" in told:
            self.errors.append(told["retry"])
        else:
            self.end(RuntimeError(told["end"]) if told["end"] else None)

    def check_refusal(self) -> None:
        assert str(self.raised) in {"status", "content-type"}

    def check_idle(self) -> None:
        assert self.errors == ["Error: idleTimeout"]


_CASES_IN_NODE = """
import { createInterface } from "node:readline";
import { connect } from %s;
const tell = (told) => process.stdout.write(JSON.stringify(told) + "\\n");
const connections = [];
for await (const line of createInterface({ input: process.stdin })) {
  const { run, url, options, close } = JSON.parse(line);
  if (close) { connections[run].close(); continue; }
  const onRetry = ({ error }) => error && tell({ run, retry: String(error) });
  const connection = (connections[run] = connect(url, { repeat: true, onRetry, ...options }));
  (async () => {
    for await (const { event, data, id } of connection) tell({ run, event: { event, data, id } });
  })().then(() => tell({ run, end: "" }), (error) => tell({ run, end: error.kind ?? String(error) }));
}
process.exit();
"""

# fetch() requests the same URL again for an empty Location, and there is no restart().
_OTHERWISE = ("an empty Location", "a restart connects")


def _options(
    *,
    reconnection_time: float = 3.0,
    idle_timeout: float | None = None,
    content: str | None = None,
    last_event_id: str = "",
    **same: Any,
) -> dict[str, Any]:
    times = {
        "retry": reconnection_time * 1000,
        **({"idleTimeout": idle_timeout * 1000} if idle_timeout else {}),
    }
    return {**times, "lastEventId": last_event_id, **({"body": content} if content else {}), **same}


def test_it_does_what_browsers_and_other_clients_do() -> None:
    cases = [case for case in CASES if not any(each in case["name"] for each in _OTHERWISE)]
    # All run at once. The one that counts silences is looked at before there is a second one.
    cases.sort(key=lambda case: "idle_timeout" not in case.get("options", {}))
    runs = list(map(RunInNode, cases))
    assert len(runs) == 55
    program = _CASES_IN_NODE % json.dumps(node.MODULE.as_uri())
    process = subprocess.Popen(
        [node.node(), "--input-type=module", "--eval", program],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None

    def tell(**message: Any) -> None:
        process.stdin.write(json.dumps(message) + "\n")
        process.stdin.flush()

    def read() -> None:
        for line in process.stdout:
            told = json.loads(line)
            runs[told.pop("run")].take(told)

    reader = threading.Thread(target=read)
    reader.start()
    try:
        for number, run in enumerate(runs):
            run.server.__enter__()
            tell(run=number, url=run.server.base, options=_options(**run.case.get("options", {})))
        failures = {}
        for number, run in enumerate(runs):
            try:
                run.wait(lambda: True)
                run.check("closed" if run.ended else "open")
            except AssertionError as error:
                failures[run.case["name"]] = error
            tell(run=number, close=True)
        assert failures == {}
    finally:
        process.stdin.close()
        process.wait()
        reader.join()
        process.stdout.close()
        for run in runs:
            run.server.__exit__(None, None, None)
