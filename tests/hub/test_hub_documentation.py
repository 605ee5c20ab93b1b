"""The examples of docs/hub.md, served."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from starlette.testclient import TestClient

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

PAGE = Path(__file__).parent.parent.parent / "docs" / "hub.md"


def example(beginning: str) -> dict[str, Any]:
    """Run the example with an import, and return its names."""
    (code,) = [
        code for code in re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL) if beginning in code
    ]
    names: dict[str, Any] = {"__name__": __name__}
    exec(compile(code, str(PAGE), "exec"), names)
    return names


@pytest.mark.slow
def test_the_example_with_fastapi_answers_resumes_and_ends() -> None:
    names = example("from fastapi import")

    async def ask(question: str) -> AsyncIterator[dict[str, str]]:
        for word in question.split():
            yield {"text": word}

    names["ask"] = ask
    with TestClient(names["app"]) as client:
        assert client.post("/answers/a", params={"question": "one two"}).json() == {"started": True}
        assert client.post("/answers/a", params={"question": "again"}).json() == {"started": False}
        text = client.get("/answers/a").text
        assert re.findall("data: (.*)", text) == ['{"text":"one"}', '{"text":"two"}', '{"reason":"finished"}']
        first, *_, last = re.findall("id: (.*)", text)
        rest = client.get("/answers/a", headers={"Last-Event-ID": first}).text
        assert re.findall("data: (.*)", rest) == ['{"text":"two"}', '{"reason":"finished"}']
        assert client.get("/answers/a", headers={"Last-Event-ID": last}).status_code == 204
        assert client.delete("/answers/a").status_code == 200


@pytest.mark.slow
def test_the_example_with_flask_answers_resumes_and_ends() -> None:
    names = example("from flask import")
    with names["hub"]:
        client = names["app"].test_client()
        assert client.post("/answers/a?question=why").json == {"started": True}
        text = client.get("/answers/a").text
        assert re.findall("data: (.*)", text) == [
            '{"text":"You asked: "}', '{"text":"why"}', '{"reason":"finished"}',
        ]  # fmt: skip
        last = re.findall("id: (.*)", text)[-1]
        assert client.get("/answers/a", headers={"Last-Event-ID": last}).status_code == 204
