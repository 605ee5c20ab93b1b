"""Threads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from ssejet.testing._endpoints.assistants import THREAD
from ssejet.testing.openai_responses.helpers._building import ask, make

if TYPE_CHECKING:
    from collections.abc import Mapping

    from openai.types.beta import Thread

__all__ = ["thread_from_create_request"]


def thread_from_create_request(request: Any, *, extra: Mapping[str, Any] | None = None) -> Thread:
    """The object that a request creates, with these fields. No mock keeps it."""
    return cast("Thread", make(THREAD, "openai.types.beta:Thread", ask(request), extra))
