from __future__ import annotations

import json
import re
import signal
import subprocess
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
from command import SCRIPT, Running, environment, on_terminal
from endpoints import EVENTS
from typer.testing import CliRunner, Result

from ssejet.cli._app import app

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow

Start = Callable[..., Running]


def tail(*arguments: str, stdin: bytes | None = None) -> Result:
    """Run the command until the stream ends."""
    return follow("--no-reconnect", *arguments, stdin=stdin)


def follow(*arguments: str, stdin: bytes | None = None) -> Result:
    """Run the command as it is."""
    return CliRunner(env={"COLUMNS": "80"}).invoke(app, ["tail", *arguments], input=stdin)


def records(result: Result) -> list[dict[str, object]]:
    assert result.exit_code == 0, result.stderr
    return [json.loads(line) for line in result.stdout.splitlines()]


def without_times(text: str) -> str:
    return re.sub(r"^\d\d:\d\d:\d\d\.\d{3} ", "", text, flags=re.MULTILINE)


def test_events_are_pretty_printed_with_type_id_retry_and_laid_out_json(server: str) -> None:
    result = tail(f"{server}/events")
    assert result.exit_code == 0
    assert without_times(result.stdout) == (
        'price #1 retry 3000 ms  {"symbol": "ABC", "price": 9.750}\n'
        "message #1\n"
        "  two\n"
        "  lines\n"
        "message #1  é 漢 🚀\n"
        'error #1  {"error": {"message": "overloaded"}}\n'
        "message #1\n"
        "  {\n"
        '    "a_rather_long_key": [\n'
        '      "so that this text",\n'
        '      "takes more than one line",\n'
        "      1,\n"
        "      2,\n"
        "      null,\n"
        "      true\n"
        "    ]\n"
        "  }\n"
        "message  [DONE]\n"
    )


def test_every_event_has_the_time_of_its_arrival(server: str) -> None:
    assert re.match(r"\d\d:\d\d:\d\d\.\d{3} price ", tail(f"{server}/events").stdout)


def test_comments_are_shown_on_demand_in_their_place(server: str) -> None:
    lines = without_times(tail(f"{server}/events", "--comments").stdout).splitlines()
    assert lines[0] == ": welcome"
    assert lines[1].startswith("price #1")
    assert lines[2] == ": ping"


def test_json_gives_one_object_per_event_and_line(server: str) -> None:
    assert records(tail(f"{server}/events", "--json"))[:3] == [
        {"event": "price", "data": '{"symbol": "ABC", "price": 9.750}', "id": "1", "retry": 3000},
        {"event": "message", "data": "two\nlines", "id": "1", "retry": None},
        {"event": "message", "data": "é 漢 🚀", "id": "1", "retry": None},
    ]


def test_json_shows_comments_as_objects_of_their_own(server: str) -> None:
    found = records(tail(f"{server}/events", "--json", "--comments"))
    assert found[0] == {"comment": " welcome"}
    assert found[2] == {"comment": " ping"}


def test_json_is_utf_8_even_where_the_locale_is_not(server: str) -> None:
    done = subprocess.run(
        [SCRIPT, "tail", "--no-reconnect", f"{server}/events", "--json"],
        env=environment(PYTHONIOENCODING="ascii"),
        capture_output=True,
        check=True,
    )
    assert "é 漢 🚀".encode() in done.stdout


def test_pretty_output_escapes_what_the_locale_cannot_encode(server: str) -> None:
    done = subprocess.run(
        [SCRIPT, "tail", "--no-reconnect", f"{server}/events"],
        env=environment(PYTHONIOENCODING="ascii"),
        capture_output=True,
        check=True,
    )
    assert rb"\xe9 \u6f22 \U0001f680" in done.stdout


def test_raw_gives_the_bytes_of_the_stream(server: str) -> None:
    assert tail(f"{server}/events", "--raw").stdout_bytes == EVENTS


@pytest.mark.parametrize("mode", [[], ["--json"], ["--raw"]])
def test_max_events_ends_a_stream_that_goes_on(server: str, mode: list[str]) -> None:
    result = tail(f"{server}/silent", "--max-events", "1", *mode)
    assert result.exit_code == 0
    assert "first" in result.stdout


def test_raw_stops_right_behind_the_last_event_wanted(server: str) -> None:
    two_events = EVENTS[: EVENTS.index(b"\r\n\r\n") + 4]
    assert tail(f"{server}/events", "--raw", "-n", "2").stdout_bytes == two_events


def test_a_stream_that_ends_is_resumed_after_its_last_event_until_the_server_says_no(server: str) -> None:
    result = follow(f"{server}/resuming?visitor=1", "--json")
    assert [record["data"] for record in records(result)] == ["1", "2", "3", "4", "5"]
    assert result.stderr == "the server ended the stream; connecting again\n" * 3


def test_a_stream_can_be_resumed_by_another_process(server: str) -> None:
    for given in (["--last-event-id", "3"], ["-H", "last-event-id: 3"]):
        result = follow(f"{server}/resuming?visitor=2", "--json", *given)
        assert [record["data"] for record in records(result)] == ["4", "5"]


def test_no_reconnect_ends_with_the_connection(server: str) -> None:
    result = follow(f"{server}/resuming?visitor=3", "--json", "--no-reconnect")
    assert [record["data"] for record in records(result)] == ["1", "2"]
    assert result.stderr == ""


def test_a_request_that_may_have_effects_is_not_repeated(server: str) -> None:
    assert echoed(follow(f"{server}/echo", "--json", "-d", "{}"))[0] == "POST"


@pytest.mark.parametrize("path", ["refused", "down", "page"])
def test_a_stream_that_never_began_is_not_requested_again(server: str, path: str) -> None:
    assert follow(f"{server}/{path}").exit_code == 1


def test_raw_ends_with_the_connection(server: str) -> None:
    assert follow(f"{server}/events", "--raw").stdout_bytes == EVENTS


def test_json_and_raw_exclude_each_other(server: str) -> None:
    result = tail(f"{server}/events", "--raw", "--json")
    assert result.exit_code == 2
    assert "exclude each other" in result.stderr


def echoed(result: Result) -> tuple[str, dict[str, str], str]:
    (record,) = records(result)
    headers, body = json.loads(str(record["data"]))
    return str(record["event"]), dict(headers), body


def test_headers_and_last_event_id_are_sent(server: str) -> None:
    given = ["-H", "Authorization: Bearer a:b", "--header", "accept: x/y", "--last-event-id", "7"]
    method, headers, _ = echoed(tail(f"{server}/echo", "--json", *given))
    assert method == "GET"
    assert headers["authorization"] == "Bearer a:b"
    assert headers["accept"] == "x/y"
    assert headers["last-event-id"] == "7"
    assert headers["cache-control"] == "no-cache"


def test_an_event_stream_is_asked_for(server: str) -> None:
    assert echoed(tail(f"{server}/echo", "--json"))[1]["accept"] == "text/event-stream"


def test_a_body_of_json_is_posted_as_json(server: str) -> None:
    method, headers, body = echoed(tail(f"{server}/echo", "--json", "-d", '{"stream": true}'))
    assert (method, headers["content-type"], body) == ("POST", "application/json", '{"stream": true}')


def test_a_body_that_is_not_json_is_posted_as_a_form(server: str) -> None:
    _, headers, body = echoed(tail(f"{server}/echo", "--json", "-d", "a=1"))
    assert (headers["content-type"], body) == ("application/x-www-form-urlencoded", "a=1")


def test_a_body_may_have_another_type_and_method(server: str) -> None:
    method, headers, _ = echoed(
        tail(f"{server}/echo", "--json", "-X", "PUT", "-d", "{}", "-H", "content-type: text/plain")
    )
    assert (method, headers["content-type"]) == ("PUT", "text/plain")


def test_a_body_is_read_from_a_file(server: str, tmp_path: Path) -> None:
    path = tmp_path / "body.json"
    path.write_text('[\n  "é"\n]', encoding="utf-8")
    assert echoed(tail(f"{server}/echo", "--json", "-d", f"@{path}"))[2] == '[\n  "é"\n]'


def test_a_body_is_read_from_standard_input(server: str) -> None:
    assert echoed(tail(f"{server}/echo", "--json", "-d", "-", stdin=b"[1]\n"))[2] == "[1]\n"


def test_a_body_file_that_is_missing_is_named(server: str) -> None:
    result = tail(f"{server}/echo", "-d", "@missing.json")
    assert result.exit_code == 2
    assert "cannot read missing.json: No such file" in result.stderr


@pytest.mark.parametrize("header", ["no colon", ": no name"])
def test_a_header_without_name_or_colon_is_refused(server: str, header: str) -> None:
    result = tail(f"{server}/echo", "-H", header)
    assert result.exit_code == 2
    assert "Name: value" in result.stderr


def test_the_scheme_may_be_left_out(server: str) -> None:
    assert tail(f"{server.removeprefix('http://')}/events").exit_code == 0


def test_redirects_are_followed(server: str) -> None:
    assert tail(f"{server}/moved", "--raw").stdout_bytes == EVENTS


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("refused", "HTTP status 401: no such key"),
        ("missing", "HTTP status 404: Not Found"),
        ("down", "HTTP status 503: <html> <h1>Down</h1> </html>"),
        ("huge", "an event is larger than 67,108,864 bytes"),
        ("page", "expected content type 'text/event-stream', got 'text/html; charset=utf-8'"),
        ("page", "<title>not a stream</title>"),
        ("endless-page", "still here"),
        ("broken", "the connection broke: "),
    ],
)
def test_a_wrong_answer_is_explained_on_standard_error(server: str, path: str, reason: str) -> None:
    result = tail(f"{server}/{path}")
    assert result.exit_code == 1
    assert result.stderr.startswith("ssejet: ")
    assert reason in result.stderr
    assert result.stderr.count("\n") == 1


def test_events_before_a_break_are_printed(server: str) -> None:
    assert "first" in tail(f"{server}/broken").stdout


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("http://127.0.0.1:1/", "cannot connect to http://127.0.0.1:1: "),
        ("ftp://127.0.0.1/", "ftp://"),
        ("http://127.0.0.1:port/", "Invalid port"),
    ],
)
def test_an_address_without_server_is_one_line_on_standard_error(url: str, reason: str) -> None:
    result = follow(url)
    assert (result.exit_code, result.stdout) == (1, "")
    assert reason in result.stderr
    assert result.stderr.count("\n") == 1


def test_a_silence_longer_than_the_timeout_ends_with_an_error(server: str) -> None:
    result = tail(f"{server}/silent", "--timeout", "0.2")
    assert result.exit_code == 1
    assert "first" in result.stdout
    assert result.stderr == "ssejet: nothing arrived for 0.2 seconds\n"


@pytest.mark.parametrize("timeout", ["0", "-1", "nan"])
def test_a_timeout_that_makes_no_sense_is_refused(server: str, timeout: str) -> None:
    result = tail(f"{server}/silent", "--timeout", timeout)
    assert result.exit_code == 2
    assert "must be more than 0" in result.stderr


def test_a_server_cannot_control_the_terminal(server: str) -> None:
    result = tail(f"{server}/hostile")
    assert result.exit_code == 0
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f]", result.stdout)
    assert r'"\u001b[2J\ud800"' in result.stdout


def test_an_event_is_printed_while_the_stream_goes_on_and_ctrl_c_ends_it(server: str, start: Start) -> None:
    process = start("tail", f"{server}/silent")
    assert "first" in process.stdout.readline()
    process.send_signal(signal.SIGINT)
    rest, errors = process.communicate()
    assert (process.returncode, rest, errors) == (130, "", "")


@pytest.mark.parametrize("mode", [[], ["--json"], ["--raw"]])
def test_it_ends_quietly_when_the_reader_of_a_pipe_goes_even_if_no_event_follows(
    server: str, start: Start, mode: list[str]
) -> None:
    process = start("tail", f"{server}/silent", *mode)
    assert "first" in process.stdout.readline()
    process.stdout.close()
    assert process.wait() == 0
    assert process.stderr.read() == ""


def test_a_pipe_into_head_is_quiet(server: str) -> None:
    done = subprocess.run(
        ["bash", "-c", 'set -o pipefail; "$0" tail "$1" --raw | head -n 1', SCRIPT, f"{server}/events"],
        env=environment(),
        capture_output=True,
        timeout=200,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b": welcome\n", b"")


def test_a_terminal_gets_colours(server: str) -> None:
    assert "\x1b[1;35mprice\x1b[0m" in on_terminal("tail", "--no-reconnect", f"{server}/events")[1]


def test_errors_are_red_on_a_terminal(server: str) -> None:
    assert "\x1b[31mssejet: HTTP status 401" in on_terminal("tail", f"{server}/refused")[1]


def test_no_color_makes_a_terminal_plain(server: str) -> None:
    output = on_terminal("tail", "--no-reconnect", f"{server}/events", NO_COLOR="1")[1]
    assert "price #1" in output
    assert "\x1b" not in output
