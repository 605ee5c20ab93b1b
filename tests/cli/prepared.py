"""Runs the command in forks of one process that has imported it already, so that each begins at once.

Each run has its own process, real standard streams, and the interpreter's own end. What a run cannot show is
how the interpreter and the imports begin: tests of that start the console script itself.
"""

from __future__ import annotations

import gc
import json
import os
import signal
import socket
import subprocess
import sys
from contextlib import suppress
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

CLOSED = None
"""In place of a file descriptor: the stream is closed."""

_STREAMS = ("stdin", "stdout", "stderr")
_STATUS = 8
_NOWHERE = "http://127.0.0.1:1"


class Child:
    """A process that runs the command."""

    def __init__(self, pid: int, report: socket.socket) -> None:
        self.pid = pid
        self.report = report
        self.returncode: int | None = None

    def wait(self, timeout: float = 60) -> int:
        """Wait for the exit status; as for ``Popen``, a negative one is a signal's number."""
        if self.returncode is None:
            self.report.settimeout(timeout)
            self.returncode = int(self.report.recv(_STATUS))
            self.report.close()
        return self.returncode

    def send_signal(self, number: int) -> None:
        if self.returncode is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """End it, if it still runs."""
        if self.returncode is None:
            with suppress(ProcessLookupError):
                self.send_signal(signal.SIGKILL)
            self.wait()


def fork(
    arguments: Sequence[str],
    streams: Sequence[int | None],
    env: Mapping[str, str],
    *,
    has_terminal: bool = False,
    imported: Sequence[str] = (),
) -> Child:
    """Run the command in a process.

    Args:
        arguments: the command's.
        streams: the file descriptors of standard input, output and error, or ``CLOSED``.
        env: the whole environment.
        has_terminal: makes standard input the terminal that controls the process, for Ctrl-C.
        imported: modules that are to be imported already.
    """
    report, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    opened = [stream for stream in streams if stream is not CLOSED]
    request = {
        "arguments": list(arguments),
        "open": [stream is not CLOSED for stream in streams],
        "env": dict(env),
        "has_terminal": has_terminal,
    }
    with theirs:
        socket.send_fds(_origin(*imported), [json.dumps(request).encode()], [theirs.fileno(), *opened])
    return Child(int(report.recv(_STATUS)), report)


@cache
def _origin(*imported: str) -> socket.socket:
    """The connection to a process that forks; that process ends with this one."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        command = [sys.executable, __file__, str(theirs.fileno()), *imported]
        subprocess.Popen(command, pass_fds=[theirs.fileno()]).returncode = 0  # not waited for
    return ours


def _fork_for_each_request(connection: socket.socket) -> None:
    """Fork for each request that comes, and return in the forks only."""
    while True:
        data, fds, *_ = socket.recv_fds(connection, 2**18, 1 + len(_STREAMS))
        if not data:
            os._exit(0)
        request = json.loads(data)
        # One more process for each run waits for it and reports its end.
        if os.fork() == 0:
            connection.close()
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            report, *streams = fds
            pid = os.fork()
            if pid == 0:
                os.close(report)
                _become(request, streams)
                return
            for stream in streams:
                os.close(stream)
            os.write(report, str(pid).encode())
            status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
            with suppress(BrokenPipeError):
                os.write(report, str(status).encode())
            os._exit(0)
        for fd in fds:
            os.close(fd)


def _become(request: Mapping[str, Any], fds: list[int]) -> None:
    """Give this process the streams, the environment and the arguments of the request."""
    os.environ.clear()
    os.environ.update(request["env"])
    sys.argv[1:] = request["arguments"]
    for number, is_open in enumerate(request["open"]):
        if is_open:
            os.dup2(fds[0], number)
            os.close(fds.pop(0))
        else:
            os.close(number)
    if request["has_terminal"]:
        import fcntl
        import termios

        os.setsid()
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    for number, name in enumerate(_STREAMS):
        stream = None
        if request["open"][number]:
            # As the interpreter opens them where the locale is C.UTF-8.
            stream = open(  # noqa: SIM115
                number,
                "w" if number else "r",
                encoding="utf-8",
                errors="backslashreplace" if name == "stderr" else "surrogateescape",
                newline="\n" if number else None,
                closefd=False,
            )
            if number:
                stream.reconfigure(line_buffering=name == "stderr" or stream.isatty())
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)


if __name__ == "__main__":
    origin = socket.socket(fileno=int(sys.argv[1]))
    for module in sys.argv[2:]:
        __import__(module)
    # The name by which the package knows that it runs as the command.
    sys.argv = ["ssejet"]
    del sys.path[0]
    from typer.testing import CliRunner

    import ssejet.cli._app

    # Commands import much when they need it: so each fails once here, where no server is.
    for command in (
        ["chat", "hi", "--base-url", _NOWHERE, "-m", "x"],
        ["bench", _NOWHERE, "-m", "x"],
        ["tail", _NOWHERE],
    ):
        CliRunner().invoke(ssejet.cli._app.app, command)
    gc.freeze()  # so that the end of a fork does not go through all that the imports made
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    _fork_for_each_request(origin)
    ssejet.cli.main()
