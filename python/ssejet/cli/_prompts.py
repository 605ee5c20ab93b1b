"""The prompts of ``ssejet bench``: from a file, or one that is repeated."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ssejet._json import loads

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["from_file", "from_text"]


def from_text(prompt: str) -> dict[str, Any]:
    """Return the parameters of a request with this prompt."""
    return {"messages": [{"role": "user", "content": prompt}]}


def from_file(path: Path) -> list[dict[str, Any]]:
    """Return the parameters of a request for each line of a file that is not blank.

    A line that begins with ``{`` is a JSON object of parameters, with ``messages`` or a ``prompt``. Any other
    line is a prompt.

    Raises:
        OSError: the file cannot be read.
        ValueError: a line is wrong, or the file has no prompt.
    """
    requests = []
    for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
        if not line.strip():
            continue
        try:
            requests.append(_from_json(line) if line.lstrip().startswith("{") else from_text(line))
        except ValueError as error:
            raise ValueError(f"line {number}: {error}") from None
    if not requests:
        raise ValueError("there is no prompt in it")
    return requests


def _from_json(line: str) -> dict[str, Any]:
    request: dict[str, Any] = loads(line)
    if "prompt" in request:
        request |= from_text(request.pop("prompt"))
    if not isinstance(request.get("messages"), list):
        raise ValueError("the object has neither `messages` nor a `prompt`")
    return request
