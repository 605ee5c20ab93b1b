"""Assistants."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from ssejet.testing._endpoints.assistants import ASSISTANT
from ssejet.testing.openai_responses.helpers._building import ask, make

if TYPE_CHECKING:
    from collections.abc import Mapping

    from openai.types.beta import Assistant

__all__ = ["assistant_from_create_request"]


def assistant_from_create_request(request: Any, *, extra: Mapping[str, Any] | None = None) -> Assistant:
    """The object that a request creates, with these fields. No mock keeps it."""
    return cast("Assistant", make(ASSISTANT, "openai.types.beta:Assistant", ask(request), extra))
