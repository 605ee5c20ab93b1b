from __future__ import annotations

import json
import re
import signal
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from command import UNREAD, Running, Terminal, run
from models import ANSWER, THOUGHT, Log
from typer.testing import CliRunner, Result

from ssejet.cli._app import app

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow

Start = Callable[..., Running]
Sit = Callable[..., Terminal]

KEY = "sk-a-secret"


def chat(*arguments: str, stdin: str | None = None, **environment: str) -> Result:
    env = {"COLUMNS": "80", "OPENAI_API_KEY": "", "OPENAI_BASE_URL": "", **environment}
    return CliRunner(env=env).invoke(app, ["chat", *arguments], input=stdin)


def sent(result: Result) -> dict[str, Any]:
    """The request, as the model `echo` got it."""
    assert result.exit_code == 0, result.stderr
    request: dict[str, Any] = json.loads(result.stdout)
    return request


def flat(text: str) -> str:
    """What typer draws a box around, as one line."""
    return " ".join(text.replace("│", " ").split())


def test_in_a_pipe_the_answer_comes_as_the_model_wrote_it(api: str) -> None:
    result = chat("hi", "--base-url", api)
    assert (result.exit_code, result.stdout) == (0, ANSWER)


def test_a_pipe_is_no_terminal_even_if_colours_are_forced(api: str) -> None:
    assert run("chat", "hi", "--base-url", api, "--quiet", FORCE_COLOR="1") == (0, ANSWER, "")


def test_a_terminal_that_cannot_move_its_cursor_gets_plain_text(api: str, terminal: Sit) -> None:
    _, output = terminal("chat", "hi", "--base-url", api, "--quiet", TERM="dumb").end()
    assert output.replace("\r\n", "\n") == ANSWER


def test_an_answer_that_ends_in_the_middle_of_a_line_ends_it(api: str) -> None:
    assert chat("hi", "--base-url", api, "-m", "cut").stdout == "only the beg\n"


def test_the_metrics_are_a_line_on_standard_error(api: str) -> None:
    line = chat("hi", "--base-url", api).stderr
    # There is no speed if one read brings all tokens.
    assert re.fullmatch(
        r"TTFT \S+ .?s \(answer \S+ .?s\) · ([\d,.]+ tokens/s · )?70 tokens \(server's count\) · \S+ .?s\n",
        line,
    )


def test_where_the_server_counts_no_tokens_chunks_are_counted_and_it_is_said(api: str) -> None:
    assert " tokens (chunks) · " in chat("hi", "--base-url", api, "--no-usage").stderr


def test_quiet_leaves_the_metrics_out(api: str) -> None:
    assert chat("hi", "--base-url", api, "--quiet").stderr == ""


def test_json_gives_the_chunks_and_then_the_metrics(api: str) -> None:
    result = chat("hi", "--base-url", api, "--json")
    *chunks, last = map(json.loads, result.stdout.splitlines())
    assert {chunk["object"] for chunk in chunks} == {"chat.completion.chunk"}
    deltas = [choice["delta"] for chunk in chunks for choice in chunk["choices"]]
    assert "".join(delta.get("content", "") for delta in deltas) == ANSWER
    assert "".join(delta.get("reasoning_content", "") for delta in deltas) == THOUGHT
    assert last["metrics"]["tokens"] == 70
    assert last["metrics"]["time_to_first_token"] > 0
    assert result.stderr == ""


def test_lone_surrogates_are_json_too(api: str) -> None:
    result = chat("hi", "--base-url", api, "-m", "halves", "--json")
    assert result.exit_code == 0
    chunks = [json.loads(line) for line in result.stdout.splitlines()][:-1]
    deltas = [choice["delta"].get("content", "") for chunk in chunks for choice in chunk["choices"]]
    assert "".join(deltas) == "\ud83d\ude00 a\r\nb"


def test_line_ends_of_another_kind_are_line_ends_in_a_pipe(api: str) -> None:
    assert chat("hi", "--base-url", api, "-m", "halves").stdout == "\\ud83d\\ude00 a\nb\n"


def test_the_question_is_read_from_standard_input(api: str) -> None:
    request = sent(chat("--base-url", api, "-m", "echo", stdin="what is\nthis?\n"))
    assert request["messages"] == [{"role": "user", "content": "what is\nthis?"}]


def test_a_file_is_added_to_the_question(api: str, tmp_path: Path) -> None:
    (tmp_path / "code").write_text("é = 1\n", encoding="utf-8")
    request = sent(chat("Explain", "-f", str(tmp_path / "code"), "--base-url", api, "-m", "echo"))
    assert request["messages"][-1]["content"] == "Explain\n\né = 1"
    request = sent(chat("Explain", "-f", "-", "--base-url", api, "-m", "echo", stdin="x"))
    assert request["messages"][-1]["content"] == "Explain\n\nx"


def test_parameters_are_sent(api: str) -> None:
    options = ["--system", "Be brief", "--temperature", "0.5", "--max-tokens", "9"]
    others = ["-p", "top_p=0.9", "-p", "reasoning_effort=low", "-p", 'stop=["a"]']
    request = sent(chat("hi", "--base-url", api, "-m", "echo", *options, *others))
    assert request["messages"][0] == {"role": "system", "content": "Be brief"}
    assert (request["temperature"], request["max_tokens"], request["top_p"]) == (0.5, 9, 0.9)
    assert (request["reasoning_effort"], request["stop"]) == ("low", ["a"])
    assert request["stream_options"] == {"include_usage": True}
    assert request["key"] == ""


def test_parameters_are_the_servers_even_if_the_client_has_options_of_that_name(api: str) -> None:
    given = {"timeout": "long", "max_retries": None, "tools": 3, "response_format": "text", "n": 2}
    options = [f"-p{name}={json.dumps(value)}" for name, value in given.items()]
    request = sent(chat("hi", "--base-url", api, "-m", "echo", *options))
    assert {name: request[name] for name in given} == given


def test_the_url_and_the_key_come_from_the_environment(api: str) -> None:
    assert sent(chat("hi", "-m", "echo", OPENAI_BASE_URL=api, OPENAI_API_KEY=KEY))["key"] == KEY


def test_the_key_may_be_in_another_variable(api: str) -> None:
    given = ["--base-url", api, "--api-key-env", "OTHER"]
    assert sent(chat("hi", "-m", "echo", *given, OTHER=KEY, OPENAI_API_KEY="not this"))["key"] == KEY


def test_there_is_no_option_for_the_key(api: str) -> None:
    assert chat("hi", "--base-url", api, "--api-key", KEY).exit_code == 2


def test_the_only_model_of_a_server_need_not_be_named(api: str, log: Log) -> None:
    assert chat("hi", "--base-url", api).exit_code == 0
    assert log.requests[0]["model"] == "poet"


@pytest.mark.parametrize(
    ("name", "reason"),
    [("several", "name a model; it has poet, echo"), ("none", "the server does not list its models")],
)
def test_a_model_that_must_be_named_is_asked_for(server: str, name: str, reason: str) -> None:
    result = chat("hi", "--base-url", f"{server}/api/{name}")
    assert result.exit_code == 2
    assert reason in flat(result.stderr)


def test_the_scheme_may_be_left_out_and_a_query_is_kept(api: str, log: Log) -> None:
    assert chat("hi", "--base-url", api.removeprefix("http://") + "/?api-version=1").exit_code == 0


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        ("locked", "HTTP status 401: wrong key: ***; is the key in OPENAI_API_KEY right?"),
        ("missing", "HTTP status 404: no such model; are the URL, which usually ends in /v1, and the model"),
        ("strict", "HTTP status 400: unknown field: stream_options; --no-usage leaves that out"),
        ("failing", "no more for ***"),
        ("breaking", "the answer may be incomplete; the server or a proxy ended it early"),
        ("event-of-an-error", "out of memory"),
        ("failing-at-once", "no worker"),
        ("unfinished", "the answer ended without a finish reason: it may be incomplete; the server or a"),
        ("empty", "an empty answer ended without a finish reason: it may be incomplete"),
        ("nothing", "an empty answer ended without a finish reason: it may be incomplete"),
    ],
)
def test_an_error_is_one_line_with_cause_and_remedy_and_without_the_key(
    api: str, model: str, reason: str
) -> None:
    result = chat("hi", "--base-url", api, "-m", model, "--quiet", OPENAI_API_KEY=KEY)
    assert result.exit_code == 1
    assert result.stderr.startswith("ssejet: ")
    assert reason in result.stderr
    assert result.stderr.count("\n") == 1
    assert KEY not in result.output


@pytest.mark.parametrize("model", ["failing", "event-of-an-error", "unfinished"])
def test_the_chunks_that_came_before_an_error_are_printed_as_json_too(api: str, model: str) -> None:
    result = chat("hi", "--base-url", api, "-m", model, "--json")
    first, metrics = map(json.loads, result.stdout.splitlines())
    assert result.exit_code == 1
    assert first["choices"][0]["delta"]["content"] == "so far "
    assert metrics["metrics"]["tokens"] == 1


def test_an_empty_answer_with_a_finish_reason_is_no_error(api: str) -> None:
    result = chat("hi", "--base-url", api, "-m", "wordless", "--quiet")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "")


def test_what_had_come_before_an_error_is_shown_with_its_metrics(api: str) -> None:
    result = chat("hi", "--base-url", api, "-m", "failing")
    assert result.stdout == "so far \n"
    assert "1 tokens (chunks)" in result.stderr


def test_a_key_that_is_missing_is_asked_for_by_name(api: str) -> None:
    result = chat("hi", "--base-url", api, "-m", "locked")
    assert "set OPENAI_API_KEY to a key" in result.stderr


def test_without_a_server_the_address_is_named(api: str) -> None:
    for model in ([], ["-m", "x"]):
        result = chat("hi", "--base-url", "http://user:secret@127.0.0.1:1/v1", *model)
        assert result.exit_code == 1
        assert "cannot connect to http://127.0.0.1:1" in result.stderr
        assert "is the server running" in result.stderr
        assert "secret" not in result.stderr


def test_a_silence_longer_than_the_timeout_is_an_error(api: str) -> None:
    result = chat("wait", "--base-url", api, "-m", "patient", "--timeout", "0.3", "--quiet")
    assert (result.exit_code, result.stdout[:6]) == (1, "heard:")
    assert "--timeout allows more" in result.stderr


def test_a_cut_answer_is_reported_as_cut(api: str) -> None:
    assert "the answer was cut at its token limit" in chat("hi", "--base-url", api, "-m", "cut").stderr


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["hi"], "no API key: set OPENAI_API_KEY in the environment, or name a server of your own"),
        (["hi", "--base-url", "ftp://x"], "ftp://x is not an http:// or https:// URL"),
        (["hi", "--base-url", "http://x:port"], "http://x:port is not a URL"),
        (["hi", "--base-url", "x", "--api-key-env", "NOPE"], "NOPE is not set in the environment"),
        (["hi", "--base-url", "x", "-m", "m", "--timeout", "nan"], "must be more than 0"),
        (["hi", "--base-url", "x", "-m", "m", "-p", "top_p"], "'top_p' is not of the form NAME=VALUE"),
        (
            ["hi", "--base-url", "x", "-m", "m", "-p", "stream=false"],
            "stream is set by this command",
        ),
        (["hi", "--base-url", "x", "-f", "no-such"], "cannot read no-such: No such file"),
        (["  ", "--base-url", "x"], "the question is empty"),
    ],
)
def test_wrong_arguments_are_explained(arguments: list[str], reason: str) -> None:
    result = chat(*arguments)
    assert result.exit_code == 2
    assert reason in flat(result.stderr)


def test_a_key_that_no_header_can_hold_is_refused_without_being_shown(api: str) -> None:
    result = chat("hi", "--base-url", api, OPENAI_API_KEY="sk-é")
    assert result.exit_code == 2
    assert "OPENAI_API_KEY holds a character that no key can have" in flat(result.stderr)
    assert "sk-é" not in result.stderr


def test_ctrl_c_ends_a_single_answer_with_what_had_come(api: str, start: Start) -> None:
    process = start("chat", "wait", "--base-url", api, "-m", "patient")
    assert "".join(iter(partial(process.stdout.read, 1), "]")) == "heard: 1 ['user=wait'"
    process.send_signal(signal.SIGINT)
    rest, errors = process.communicate()
    assert process.returncode == 130
    assert rest == "\n"
    assert errors.count("\n") == 1
    assert "TTFT" in errors


def test_it_ends_quietly_when_the_reader_of_a_pipe_goes(api: str) -> None:
    assert run("chat", "hi", "-q", "--base-url", api, stdout=UNREAD) == (0, "", "")


def test_a_terminal_gets_rendered_markdown_and_dimmed_reasoning(api: str, terminal: Sit) -> None:
    status, output = terminal("chat", "hi", "--base-url", api).end()
    assert status == 0
    assert "\x1b[1mbold\x1b[0m" in output
    assert "**" not in output
    assert "\x1b[2mHmm, \x1b[0m\x1b[2;3mwell\x1b[0m" in output
    assert "TTFT" in output


def test_a_model_cannot_control_the_terminal_nor_hide_where_a_link_leads(api: str, terminal: Sit) -> None:
    _, output = terminal("chat", "hi", "--base-url", api, "-m", "hostile", NO_COLOR="1").end()
    assert "\x1b]" not in output
    assert "\x07" not in output
    assert "http://evil.example/" in output


def test_a_conversation_remembers_what_was_said(api: str, terminal: Sit, log: Log) -> None:
    session = terminal("chat", "--base-url", api, "-m", "patient", "-s", "Be brief")
    session.wait_for("> ")
    session.type("one\r")
    session.wait_for("tokens (")
    session.wait_for("> ")
    session.type("\rtwo\r")
    session.wait_for("heard: 4")
    session.wait_for("> ")
    session.type("\x04")
    assert session.end()[0] == 0
    assert [message["content"] for message in log.requests[1]["messages"]] == [
        "Be brief",
        "one",
        "heard: 2 ['system=Be brief', 'user=one']",
        "two",
    ]


def test_ctrl_c_cancels_an_answer_and_keeps_what_had_come_and_at_the_prompt_it_leaves(
    api: str, terminal: Sit, log: Log
) -> None:
    session = terminal("chat", "--base-url", api, "-m", "patient")
    session.wait_for("> ")
    session.type("wait\r")
    session.wait_for("heard: 1")
    session.type("\x03")
    session.wait_for("cancelled")
    session.wait_for("> ")
    session.type("go on\r")
    session.wait_for("heard: 3")
    session.wait_for("> ")
    log.wait_until_left()
    assert log.requests[1]["messages"][1] == {"role": "assistant", "content": "heard: 1 ['user=wait']"}
    assert session.end("\x03")[0] == 130


def test_a_conversation_goes_on_after_an_error(api: str, terminal: Sit, log: Log) -> None:
    session = terminal("chat", "--base-url", api, "-m", "locked", OPENAI_API_KEY=KEY)
    for _ in range(2):
        session.wait_for("> ")
        session.type("hi\r")
        assert KEY not in session.wait_for("HTTP status 401: wrong key: ***")
    session.wait_for("> ")
    session.type("\x04")
    assert session.end()[0] == 0
    assert [len(request["messages"]) for request in log.requests] == [1, 1]


def test_without_a_question_json_says_what_is_missing(api: str, terminal: Sit) -> None:
    status, output = terminal("chat", "--base-url", api, "--json").end()
    assert status == 2
    assert "give a question" in output
