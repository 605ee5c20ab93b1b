"""Moderations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from ssejet.testing.openai_responses.helpers._building import ask, only_answer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from openai.types import ModerationCreateResponse

__all__ = ["moderation_create_response_from_create_request"]


def moderation_create_response_from_create_request(
    request: Any, *, extra: Mapping[str, Any] | None = None
) -> ModerationCreateResponse:
    """The answer to a request, with these fields."""
    return cast(
        "ModerationCreateResponse",
        only_answer("moderations.create", "openai.types:ModerationCreateResponse", ask(request), extra),
    )
