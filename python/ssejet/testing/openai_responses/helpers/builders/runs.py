"""Runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from ssejet.testing._endpoints.runs import RUN
from ssejet.testing.openai_responses.helpers._building import ask, make

if TYPE_CHECKING:
    from collections.abc import Mapping

    from openai.types.beta.threads import Run

__all__ = ["run_from_create_request"]


def run_from_create_request(thread_id: str, request: Any, *, extra: Mapping[str, Any] | None = None) -> Run:
    """The object that a request creates, with these fields. No mock keeps it."""
    return cast("Run", make(RUN, "openai.types.beta.threads:Run", ask(request, thread_id=thread_id), extra))
