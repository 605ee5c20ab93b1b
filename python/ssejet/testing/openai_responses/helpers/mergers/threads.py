"""Change threads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ssejet.testing._endpoints.assistants import THREAD
from ssejet.testing.openai_responses.helpers._building import merge

if TYPE_CHECKING:
    from collections.abc import Mapping

    from openai.types.beta import Thread

__all__ = ["merge_thread_with_partial"]


def merge_thread_with_partial(thread: Thread, partial: Mapping[str, Any]) -> Thread:
    """A copy of the thread with other fields."""
    return merge(THREAD, thread, partial)
