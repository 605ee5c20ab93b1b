"""``ssejet demo``: streams a chat completion over HTTP, then measures decoders on it."""

from __future__ import annotations

import math
import platform
from typing import TYPE_CHECKING, Annotated, Any

import httpx
import typer
from rich.box import SIMPLE_HEAD
from rich.progress import BarColumn, Progress, TextColumn
from rich.table import Table

from ssejet import __version__
from ssejet.cli import _recording
from ssejet.cli._console import command_ends, standard_console
from ssejet.cli._peers import Cost, measure
from ssejet.cli._typewriter import Typewriter

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

__all__ = ["demo"]

_QUESTION = "What are server-sent events, and when should I use them?"
_BAR = 12


def demo(
    pace: Annotated[
        float, typer.Option("--pace", metavar="X", help="Play the recording X times as fast as recorded.")
    ] = 1.0,
    fast: Annotated[bool, typer.Option("--fast", help="Play the recording without pauses.")] = False,
) -> None:
    """Stream a recorded chat completion over HTTP, then time the decoders on its bytes.

    Nothing leaves this machine: a server inside the process plays the recording on a free loopback port.
    """
    # Here, because the other commands do not need these packages.
    from ssejet.cli._server import loopback_server, replay_app

    if not pace > 0:  # NaN too
        raise typer.BadParameter("must be more than 0", param_hint="--pace")
    frames = _recording.load("chat")
    console = standard_console()
    with command_ends():
        with loopback_server(replay_app(frames, pace=math.inf if fast else pace)) as url:
            _show_answer(console, f"{url}/v1")
        _show_costs(console, [frame.data for frame in frames])


def _show_answer(console: Console, base_url: str) -> None:
    from ssejet import Client

    console.print(f"POST {base_url}/chat/completions", style="dim")
    console.print(f"> {_QUESTION}\n", style="bold")
    typewriter = Typewriter(console)
    question: dict[str, Any] = {"model": "recorded", "messages": [{"role": "user", "content": _QUESTION}]}
    # Ignore the environment's proxies, which the loopback interface must not use.
    with (
        httpx.Client(trust_env=False) as http_client,
        Client(base_url=base_url, api_key="", http_client=http_client) as client,
    ):
        stream = client.chat.completions.create(stream=True, **question)
        for chunk in stream:
            for choice in chunk.choices:
                if choice.delta is not None and choice.delta.content:
                    typewriter.write(choice.delta.content)
    typewriter.end()

    metrics = stream.metrics
    table = Table.grid(padding=(0, 2), pad_edge=True)
    table.add_column(style="dim")
    table.add_column(justify="right")
    table.add_row("time to first token", f"{(metrics.time_to_first_token or 0.0) * 1e3:,.0f} ms")
    table.add_row("tokens per second", f"{metrics.tokens_per_second or 0.0:,.0f}")
    table.add_row("events", f"{metrics.events:,}")
    table.add_row("bytes", f"{metrics.bytes:,}")
    console.print()
    console.print(table)


def _show_costs(console: Console, chunks: Sequence[bytes]) -> None:
    with Progress(
        BarColumn(_BAR), TextColumn("{task.description}", style="dim"), console=console, transient=True
    ) as progress:
        task = progress.add_task("", total=1.0)
        ours, peers = measure(
            chunks, lambda what, part: progress.update(task, description=what, completed=part)
        )
    console.print(_comparison(ours, peers))
    size = sum(map(len, chunks))
    console.print(
        f"Decoding these {size:,} bytes again and again, one event per read, the decoders in turn; medians, "
        f"{platform.python_implementation()} {platform.python_version()}.",
        style="dim",
    )


def _comparison(ours: float, peers: Sequence[Cost]) -> Table:
    table = Table(box=SIMPLE_HEAD, header_style="dim", border_style="dim", padding=(0, 1))
    table.add_column("decoder")
    table.add_column("per event", justify="right")
    table.add_column("vs ssejet", justify="right")
    table.add_column()
    slowest = max([ours, *(cost.per_event for cost in peers if cost.per_event is not None)])

    def bar(seconds: float) -> str:
        return "━" * max(1, round(_BAR * seconds / slowest))

    table.add_row(f"ssejet {__version__}", _nanoseconds(ours), "", bar(ours), style="good")
    for cost in sorted(peers, key=lambda cost: cost.per_event or math.inf):
        name = f"{cost.name} {cost.version or ''}"
        if cost.per_event is None:
            table.add_row(name, "", "", cost.note, style="dim")
        else:
            ratio = f"{cost.per_event / ours:.1f}×"
            table.add_row(name, _nanoseconds(cost.per_event), ratio, bar(cost.per_event))
    return table


def _nanoseconds(seconds: float) -> str:
    return f"{seconds * 1e9:,.0f} ns"
