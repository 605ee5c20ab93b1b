"""Change assistants."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ssejet.testing._endpoints.assistants import ASSISTANT
from ssejet.testing.openai_responses.helpers._building import merge

if TYPE_CHECKING:
    from collections.abc import Mapping

    from openai.types.beta import Assistant

__all__ = ["merge_assistant_with_partial"]


def merge_assistant_with_partial(assistant: Assistant, partial: Mapping[str, Any]) -> Assistant:
    """A copy of the assistant with other fields."""
    return merge(ASSISTANT, assistant, partial)
