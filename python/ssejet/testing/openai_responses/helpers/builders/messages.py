"""Messages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from ssejet.testing._endpoints.assistants import MESSAGE, make_message
from ssejet.testing._store import construct
from ssejet.testing.openai_responses.helpers._building import ask

if TYPE_CHECKING:
    from collections.abc import Mapping

    from openai.types.beta.threads import Message

__all__ = ["build_message", "message_from_create_request"]


def message_from_create_request(
    thread_id: str, request: Any, *, extra: Mapping[str, Any] | None = None
) -> Message:
    """The message that a request creates, with these fields. No mock keeps it."""
    asked = ask(request)
    return _message(MESSAGE.known(asked.body) | dict(extra or {}), thread_id)


def build_message(partial: Mapping[str, Any]) -> Message:
    """A message with these fields. No mock keeps it."""
    return _message(dict(partial), "")


def _message(fields: dict[str, Any], thread_id: str) -> Message:
    message = make_message(fields, thread_id, ask())
    return cast("Message", construct("openai.types.beta.threads:Message", message))
