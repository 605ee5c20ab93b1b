"""What ``ssejet bench`` asks: prompts from a file, or one again and again."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["from_file", "from_text"]


def from_text(prompt: str) -> dict[str, Any]:
    """The parameters of a request that asks this."""
    return {"messages": [{"role": "user", "content": prompt}]}


def from_file(path: Path) -> list[dict[str, Any]]:
    """The parameters of a request for each line of a file that is not blank.

    A line that begins with ``{`` is a JSON object with the parameters, ``messages`` among them, or with a
    ``prompt``; every other is a prompt as it is.

    Raises:
        OSError: it cannot be read.
        ValueError: a line is not what it should be, or there is none.
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
    request: dict[str, Any] = json.loads(line)
    if "prompt" in request:
        request |= from_text(request.pop("prompt"))
    if not isinstance(request.get("messages"), list):
        raise ValueError("the object has neither `messages` nor a `prompt`")
    return request
