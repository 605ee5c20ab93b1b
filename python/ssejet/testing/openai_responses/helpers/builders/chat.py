"""Chat completions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from ssejet.testing.openai_responses.helpers._building import ask, only_answer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from openai.types.chat import ChatCompletion

__all__ = ["chat_completion_from_create_request"]


def chat_completion_from_create_request(
    request: Any, *, extra: Mapping[str, Any] | None = None
) -> ChatCompletion:
    """The answer to a request, with these fields."""
    return cast(
        "ChatCompletion",
        only_answer("chat.completions.create", "openai.types.chat:ChatCompletion", ask(request), extra),
    )
