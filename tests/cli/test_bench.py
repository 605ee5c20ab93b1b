from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

import pytest
from command import SCRIPT, Running, Terminal, environment, run
from typer.testing import CliRunner, Result

from ssejet.cli._app import app

if TYPE_CHECKING:
    from pathlib import Path

    from models import Log

pytestmark = pytest.mark.slow

Sit = Callable[..., Terminal]

KEY = "sk-a-secret"


def bench(*arguments: str, **environment: str) -> Result:
    return CliRunner(env={"COLUMNS": "80", "OPENAI_API_KEY": "", **environment}).invoke(
        app, ["bench", *arguments]
    )


def figures(*arguments: str, status: int = 0, **environment: str) -> dict[str, Any]:
    """What the command says to programs."""
    result = bench(*arguments, "--json", "-", **environment)
    assert result.exit_code == status, result.stderr
    report: dict[str, Any] = json.loads(result.stdout)
    return report


def flat(text: str) -> str:
    return " ".join(text.replace("│", " ").split())


def test_requests_are_sent_and_their_results_reported(api: str, log: Log) -> None:
    result = bench(api, "-n", "6", "-c", "2", "--max-tokens", "99", "-p", "seed=1", "--prompt", "Hello?")
    assert result.exit_code == 0
    lines = [line.split() for line in result.stdout.splitlines()]
    assert ["min", "p50", "p90", "p95", "p99", "max"] in lines
    names = {line[0] for line in lines if line}
    assert {"TTFT", "between", "whole", "tokens/s", "answered", "requests/s"} <= names
    assert any(line[:4] == ["answered", "6", "of", "6"] for line in lines)
    assert result.stdout.startswith(f"poet at {api}, 2 at once\n")
    assert "server's count" in result.stdout
    assert "Time to first token" in result.stdout
    assert "█" in result.stdout
    assert "Load generator: busy" in result.stdout
    # One before, to warm up.
    assert len(log.requests) == 7
    request = log.requests[0]
    assert request["messages"] == [{"role": "user", "content": "Hello?"}]
    assert (request["max_tokens"], request["seed"], request["stream"]) == (99, 1, True)


def test_no_line_is_wider_than_the_terminal(api: str) -> None:
    output = bench(api, "-n", "4").stdout
    assert max(map(len, output.splitlines())) <= 80


def test_no_figure_is_cut_where_there_is_little_room(api: str) -> None:
    output = bench(api, "-n", "4", COLUMNS="40").stdout
    assert max(map(len, output.splitlines())) <= 40
    table = output[: output.index("Time to first token")]
    assert "…" not in table
    assert ["p50", "p99"] in [line.split() for line in table.splitlines()]


def test_no_more_requests_run_at_once_than_asked_for(api: str, log: Log) -> None:
    assert figures(api, "-n", "20", "-c", "3", "-m", "slow-poet")["succeeded"] == 20
    assert log.most_running == 3


def test_programs_get_all_the_figures(api: str) -> None:
    report = figures(api, "-n", "5", "-c", "2")
    assert report["model"] == "poet"
    assert (report["succeeded"], report["failed"], report["cancelled"]) == (5, 0, 0)
    assert (report["tokens"], report["tokens_from"], report["prompt_tokens"]) == (350, {"usage": 5}, 35)
    assert report["tokens_per_second"] == pytest.approx(350 / report["seconds"])
    for name in (
        "time_to_first_token",
        "time_to_first_content_token",
        "inter_token_latency",
        "request_duration",
    ):
        shares = [report[name][share] for share in ("min", "p50", "p90", "p95", "p99", "max")]
        assert shares == sorted(shares)
        # Tokens that one read brings have no time between them.
        assert shares[-1] > 0 or name == "inter_token_latency"
    assert len(report["samples"]) == 5
    assert report["load_generator"]["cpu"] > 0


def test_the_figures_can_be_written_to_a_file(api: str, tmp_path: Path) -> None:
    assert bench(api, "-n", "2", "--json", str(tmp_path / "out.json")).exit_code == 0
    assert json.loads((tmp_path / "out.json").read_text())["succeeded"] == 2


def test_tokens_that_the_server_does_not_count_are_counted_as_chunks(api: str, log: Log) -> None:
    report = figures(api, "-n", "2", "--no-usage")
    assert report["tokens_from"] == {"chunks": 2}
    assert "stream_options" not in log.requests[0]


def test_prompts_come_from_a_file_in_turn(api: str, log: Log, tmp_path: Path) -> None:
    messages = [{"role": "system", "content": "s"}, {"role": "user", "content": "u"}]
    lines = ["one", "", json.dumps({"messages": messages, "max_tokens": 3}), json.dumps({"prompt": "three"})]
    (tmp_path / "prompts").write_text("\n".join(lines), encoding="utf-8")
    figures(api, "-n", "4", "-c", "1", "--warmup", "0", "--prompt-file", str(tmp_path / "prompts"))
    user = {"role": "user"}
    assert [request["messages"] for request in log.requests] == [
        [{**user, "content": "one"}],
        messages,
        [{**user, "content": "three"}],
        [{**user, "content": "one"}],
    ]
    assert [request.get("max_tokens") for request in log.requests] == [None, 3, None, None]


def test_what_a_prompt_file_says_is_sent_as_a_stream(api: str, log: Log, tmp_path: Path) -> None:
    line = {"prompt": "one", "stream": False, "timeout": "long", "tools": 3}
    (tmp_path / "prompts").write_text(json.dumps(line), encoding="utf-8")
    assert figures(api, "-n", "1", "--prompt-file", str(tmp_path / "prompts"))["succeeded"] == 1
    request = log.requests[0]
    assert (request["stream"], request["timeout"], request["tools"]) == (True, "long", 3)


def test_a_duration_ends_a_load_without_a_number_of_requests(api: str, log: Log) -> None:
    report = figures(api, "--duration", "0.3", "-c", "2", "--warmup", "0")
    assert report["succeeded"] == len(log.requests) > 0
    assert report["cancelled"] == 0
    assert report["duration"] == 0.3


def test_failures_are_counted_by_kind_and_not_repeated(api: str, log: Log) -> None:
    result = bench(api, "-n", "6", "-c", "1", "-m", "busy", "--warmup", "0")
    assert result.exit_code == 0
    assert len(log.requests) == 6
    lines = [flat(line) for line in result.stdout.splitlines()]
    assert "failed 3" in lines
    assert "APIStatusError 429 3 HTTP status 429: slow down" in lines


def test_answers_that_break_off_are_failures(api: str) -> None:
    report = figures(api, "-n", "2", "-m", "failing", "--warmup", "0", status=1, OPENAI_API_KEY=KEY)
    assert report["succeeded"] == 0
    assert report["errors"] == {"APIError": {"count": 2, "first": "no more for ***"}}


@pytest.mark.parametrize(
    ("model", "error", "first"),
    [
        ("event-of-an-error", "APIError", "out of memory"),
        ("failing-at-once", "APIError", "no worker"),
        ("unfinished", "TruncatedStreamError", "the answer ended without a finish reason"),
        ("empty", "TruncatedStreamError", "an empty answer ended without a finish reason"),
        ("nothing", "TruncatedStreamError", "an empty answer ended without a finish reason"),
    ],
)
def test_answers_without_an_end_are_failures(api: str, model: str, error: str, first: str) -> None:
    report = figures(api, "-n", "3", "-m", model, "--warmup", "0", status=1)
    assert (report["succeeded"], report["failed"]) == (0, 3)
    assert report["errors"][error]["count"] == 3
    assert first in report["errors"][error]["first"]


def test_an_empty_answer_with_a_finish_reason_is_an_answer(api: str) -> None:
    assert figures(api, "-n", "2", "-m", "wordless")["succeeded"] == 2


def test_a_server_that_does_not_answer_is_one_line(api: str) -> None:
    for url in ("http://127.0.0.1:1/v1", f"{api}/nowhere"):
        result = bench(url, "-m", "poet")
        assert (result.exit_code, result.stdout) == (1, "")
        assert result.stderr.startswith("ssejet: ")
        assert result.stderr.count("\n") == 1


def test_the_key_is_sent_but_not_shown(api: str) -> None:
    result = bench(api, "-m", "locked", "--warmup", "0", "-n", "2", OPENAI_API_KEY=KEY)
    assert "wrong key: ***" in flat(result.stdout)
    assert KEY not in result.output


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["-n", "0"], "'--requests'"),
        (["-c", "0"], "'--concurrency'"),
        (["--duration", "nan"], "must be more than 0"),
        (["--plot", "x.png"], "x.png must end in .svg"),
        (["--prompt", "x", "--prompt-file", "y"], "exclude each other"),
        (["--prompt-file", "no-such"], "cannot read no-such: No such file"),
    ],
)
def test_wrong_arguments_are_explained(api: str, arguments: list[str], reason: str) -> None:
    result = bench(api, *arguments)
    assert result.exit_code == 2
    assert reason in flat(result.stderr)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "there is no prompt in it"),
        ("one\n{", "line 2: "),
        ('{"model": "x"}', "line 1: the object has neither `messages` nor a `prompt`"),
    ],
)
def test_a_prompt_file_that_is_wrong_is_explained(api: str, tmp_path: Path, text: str, reason: str) -> None:
    (tmp_path / "p").write_text(text, encoding="utf-8")
    result = bench(api, "--prompt-file", str(tmp_path / "p"))
    assert result.exit_code == 2
    assert flat(reason) in flat(result.stderr)


def test_a_file_that_cannot_be_written_is_an_error_after_the_report(api: str, tmp_path: Path) -> None:
    result = bench(api, "-n", "1", "--json", str(tmp_path / "none" / "x"))
    assert result.exit_code == 1
    assert "answered" in result.stdout
    assert flat(result.stderr).endswith("No such file or directory")


def test_the_plot_is_a_picture_of_both_distributions(api: str, tmp_path: Path) -> None:
    path = tmp_path / "plot.svg"
    assert bench(api, "-n", "9", "--plot", str(path)).exit_code == 0
    picture = ElementTree.fromstring(path.read_text(encoding="utf-8"))
    texts = ["".join(text.itertext()) for text in picture.iter("{http://www.w3.org/2000/svg}text")]
    assert f"poet at {api}, 10 at once" in texts
    assert "Time to first token" in texts
    assert "Between tokens" in texts
    assert any(text.startswith("9 in all") for text in texts)
    assert len(list(picture.iter("{http://www.w3.org/2000/svg}rect"))) > 2
    assert "".join(picture.itertext()).count("svg { background:") == 2


def test_there_is_a_plot_even_of_nothing(api: str, tmp_path: Path) -> None:
    path = tmp_path / "plot.svg"
    result = bench(api, "-n", "1", "-m", "failing", "--warmup", "0", "--plot", str(path))
    assert result.exit_code == 1
    assert "there was none" in path.read_text(encoding="utf-8")


def test_where_blocks_cannot_be_printed_there_are_other_bars(api: str) -> None:
    done = subprocess.run(
        [SCRIPT, "bench", api, "-n", "2"],
        env=environment(PYTHONIOENCODING="ascii"),
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "#" in done.stdout
    assert "█" not in done.stdout


def test_a_terminal_shows_how_far_it_is_and_ctrl_c_ends_it_with_a_report(
    api: str, terminal: Sit, log: Log
) -> None:
    session = terminal("bench", api, "-m", "patient", "--prompt", "wait", "-c", "2", "--warmup", "0")
    session.wait_for("0 ended · 2 streaming · ")
    session.type("\x03")
    status, output = session.end()
    assert status == 130
    assert "cancelled" in output
    assert "TTFT" in output
    log.wait_until_left()


def test_there_is_no_progress_in_a_pipe_even_if_colours_are_forced(api: str) -> None:
    assert run("bench", api, "-n", "2", FORCE_COLOR="1").stderr == ""


def test_ctrl_c_in_the_warm_up_ends_it_without_a_report(
    api: str, start: Callable[..., Running], log: Log
) -> None:
    process = start("bench", api, "-m", "patient", "--prompt", "wait", "-c", "1")
    log.wait_until_asked()
    process.send_signal(signal.SIGINT)
    assert process.communicate() == ("", "")
    assert process.returncode == 130
