"""``ssejet chat``: talks to any OpenAI-compatible server."""

from __future__ import annotations

import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ssejet import SSEError
from ssejet.cli._console import command_ends, complain, error_console, fail, printable, standard_console
from ssejet.cli._endpoint import (
    KeyName,
    MaxTokens,
    Model,
    NoUsage,
    Params,
    Server,
    Timeout,
    as_call,
    check_end,
    request_params,
)
from ssejet.cli._figures import summary

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rich.console import Console

    from ssejet import Client, TokenMetrics
    from ssejet.cli._answer import View

__all__ = ["chat"]

# What to tell the user about an answer that ended for these reasons.
_FINISH_REASONS = {
    "length": "the answer was cut at its token limit",
    "content_filter": "the provider's filter cut the answer",
    "tool_calls": "the model called a tool; --json shows how",
    "function_call": "the model called a function; --json shows how",
}


def chat(
    prompt: Annotated[
        str | None,
        typer.Argument(
            metavar="PROMPT",
            help="The question. Without it, questions are read from standard input, on a terminal one after "
            "another.",
        ),
    ] = None,
    base_url: Annotated[
        str | None,
        typer.Option("--base-url", metavar="URL", envvar="OPENAI_BASE_URL", help="The server's base URL."),
    ] = None,
    model: Model = None,
    system: Annotated[
        str | None, typer.Option("--system", "-s", metavar="TEXT", help="The system message.")
    ] = None,
    file: Annotated[
        str | None,
        typer.Option(
            "--file", "-f", metavar="FILE", help="Add this file to the question; - is standard input."
        ),
    ] = None,
    temperature: Annotated[
        float | None, typer.Option("--temperature", "-t", metavar="T", help="The sampling temperature.")
    ] = None,
    max_tokens: MaxTokens = None,
    param: Params = None,
    api_key_env: KeyName = "OPENAI_API_KEY",
    as_json: Annotated[
        bool,
        typer.Option("--json", help="Print the chunks as JSON, one per line, then the metrics."),
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Do not print the line of metrics.")] = False,
    no_usage: NoUsage = False,
    timeout: Timeout = 600.0,
) -> None:
    """Ask a model, and show the answer while it arrives.

    Ctrl-C cancels an answer. At the prompt, Ctrl-C or Ctrl-D ends the conversation. In a pipe, the answer is
    printed as the model wrote it, and the metrics go to standard error.

    The exit status is 0 for success, 1 when the answer failed, 130 after Ctrl-C.
    """
    # Here, because the other commands do not need them.
    from ssejet import Client
    from ssejet.cli._answer import JSONView, MarkdownView, TextView

    server = Server.from_options(base_url, api_key_env, hint="--base-url")
    question = _question(prompt, file)
    if question is None and (as_json or not sys.stdout.isatty()):
        raise typer.BadParameter("give a question: as an argument, or on standard input", param_hint="PROMPT")
    console = standard_console()
    # Not console.is_terminal, which FORCE_COLOR sets.
    can_draw = sys.stdout.isatty() and not console.is_dumb_terminal
    view: View = JSONView() if as_json else MarkdownView(console) if can_draw else TextView()
    with command_ends(), Client(**server.client_options(timeout=timeout)) as client:
        try:
            request = request_params(
                model or server.only_model(),
                max_tokens=max_tokens,
                params=param,
                no_usage=no_usage,
                temperature=temperature,
            )
            conversation = _Conversation(client, request, system, view, quiet=quiet or as_json)
            if question is not None:
                conversation.ask(question)
                return
        except SSEError as error:
            fail(server.explain(error))
        console.print(printable(f"{request['model']} at {server.name}; Ctrl-D ends"), style="dim")
        _converse(conversation, console, server)


def _question(prompt: str | None, file: str | None) -> str | None:
    """Read the question; None if the user types questions on a terminal."""
    if prompt is None and file is None:
        if sys.stdin.isatty():
            return None
        file = "-"
    parts = [prompt] if prompt else []
    if file is not None:
        try:
            data = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
        except OSError as error:
            raise typer.BadParameter(f"cannot read {file}: {error.strerror}", param_hint="--file") from None
        parts.append(data.decode("utf-8", "replace"))
    question = "\n\n".join(parts).strip()
    if not question:
        raise typer.BadParameter("the question is empty", param_hint="PROMPT")
    return question


class _Conversation:
    """Sends questions and keeps the answers.

    Args:
        client: the client.
        request: the request's parameters, without the messages.
        system: the system message, if any.
        view: shows the answers.
        quiet: print no metrics.
    """

    def __init__(
        self, client: Client, request: Mapping[str, Any], system: str | None, view: View, *, quiet: bool
    ) -> None:
        self._client = client
        self._request = request
        self._messages = [{"role": "system", "content": system}] if system else []
        self._view = view
        self._quiet = quiet

    def ask(self, question: str) -> None:
        """Ask, and show the answer. The conversation keeps the received part of an interrupted answer.

        Raises:
            SSEError: there was no answer, it broke, or it has no finish reason.
        """
        messages = [*self._messages, {"role": "user", "content": question}]
        answer: list[str] = []
        metrics: TokenMetrics | None = None
        finish_reason = None
        self._view.begin()
        try:
            with self._client.chat.completions.create(
                stream=True, **as_call({**self._request, "messages": messages})
            ) as stream:
                metrics = stream.metrics
                for chunk in stream:
                    self._view.chunk(chunk)
                    for choice in chunk.choices:
                        if choice.index == 0:
                            finish_reason = choice.finish_reason or finish_reason
                            answer.append(self._show(choice.delta))
                check_end(metrics)
        finally:
            self._view.end(metrics)
            if text := "".join(answer):
                # Without an answer, the question is dropped: some models refuse two questions in a row.
                self._messages = [*messages, {"role": "assistant", "content": text}]
            if metrics is not None and not self._quiet:
                if sys.stdout.isatty():
                    error_console().print()
                error_console().print(summary(metrics), style="dim", soft_wrap=True)
        if finish_reason in _FINISH_REASONS:
            complain(_FINISH_REASONS[finish_reason])

    def _show(self, delta: Any) -> str:
        """Show a delta, and return its part of the answer."""
        if delta is None:
            return ""
        if delta.reasoning_content:
            self._view.reasoning(delta.reasoning_content)
        text = (delta.content or "") + (delta.refusal or "")
        if text:
            self._view.content(text)
        return text


def _converse(conversation: _Conversation, console: Console, server: Server) -> None:
    """Ask each question that the user types, until the input ends."""
    _enable_line_editing()
    while True:
        try:
            question = input("> ").strip()
        except EOFError:
            console.print()
            return
        except KeyboardInterrupt:
            console.print()
            raise
        if not question:
            continue
        console.print()
        try:
            conversation.ask(question)
        except KeyboardInterrupt:
            console.print("cancelled", style="dim")
        except SSEError as error:
            complain(server.explain(error))
        console.print()


def _enable_line_editing() -> None:
    """Give ``input()`` line editing and a history, if Python has them."""
    with suppress(ImportError):
        import readline  # noqa: F401
