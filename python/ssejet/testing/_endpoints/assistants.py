"""OpenAI's assistants, threads and messages. ``runs`` has the runs."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ssejet.testing._endpoints.objects import Create, Delete, Kind, List, Retrieve, Update, now
from ssejet.testing._endpoints.vector_stores import with_vector_stores

if TYPE_CHECKING:
    from ssejet.testing._endpoints.base import Asked

__all__ = ["ASSISTANT", "ENDPOINTS", "MESSAGE", "THREAD", "add_message", "create_thread", "make_message"]

ASSISTANT = Kind(
    "assistant",
    store="beta.assistants",
    id_prefix="asst_",
    defaults={
        "name": None,
        "description": None,
        "model": "mock",
        "instructions": None,
        "tools": [],
        "tool_resources": None,
        "metadata": {},
        "temperature": 1.0,
        "top_p": 1.0,
        "response_format": "auto",
        "reasoning_effort": None,
    },
)
THREAD = Kind(
    "thread", store="beta.threads", id_prefix="thread_", defaults={"metadata": {}, "tool_resources": None}
)
MESSAGE = Kind(
    "thread.message",
    store="beta.threads.messages",
    id_prefix="msg_",
    parents=[THREAD],
    defaults={
        "role": "user",
        "content": [],
        "status": "completed",
        "assistant_id": None,
        "run_id": None,
        "attachments": [],
        "metadata": {},
        "completed_at": None,
        "incomplete_at": None,
        "incomplete_details": None,
    },
)


class CreateAssistant(Create):
    """Makes an assistant, and the vector stores that its tool resources describe."""

    def act(self, given: dict[str, Any] | None, asked: Asked) -> Any:
        """Keep the assistant."""
        fields = self.kind.known(asked.body)
        if "tool_resources" in fields:
            fields["tool_resources"] = with_vector_stores(fields["tool_resources"], asked)
        return self.kind.keep(self.kind.make(fields | (given or {}), asked), asked)


class CreateThread(Create):
    """Makes a thread with its first messages, and the vector stores that its tool resources describe."""

    def act(self, given: dict[str, Any] | None, asked: Asked) -> Any:
        """Keep the thread and its messages."""
        return create_thread(given or {}, asked)


class CreateMessage(Create):
    """Adds a message to a thread."""

    def act(self, given: dict[str, Any] | None, asked: Asked) -> Any:
        """Keep the message."""
        thread = THREAD.require(asked)
        return add_message(self.kind.known(asked.body) | (given or {}), thread["id"], asked)


def create_thread(given: dict[str, Any], asked: Asked) -> dict[str, Any]:
    """Keep a thread as the body describes it, and its messages."""
    fields = THREAD.known(asked.body)
    if "tool_resources" in fields:
        fields["tool_resources"] = with_vector_stores(fields["tool_resources"], asked)
    thread = THREAD.keep(THREAD.make(fields | given, asked), asked)
    for message in asked.body.get("messages") or []:
        add_message(MESSAGE.known(message), thread["id"], asked)
    return thread


def add_message(fields: dict[str, Any], thread_id: str, asked: Asked) -> dict[str, Any]:
    """Keep a message. Its content may be a text, or have parts as requests have them."""
    return MESSAGE.keep(make_message(fields, thread_id, asked), asked)


def make_message(fields: dict[str, Any], thread_id: str, asked: Asked) -> dict[str, Any]:
    """A message with all fields. The mock does not keep it yet."""
    message = MESSAGE.make(fields, replace(asked, path=asked.path | {"thread_id": thread_id}))
    content = message["content"] or []
    parts = [content] if isinstance(content, str) else content
    message["content"] = [_part(part) for part in parts]
    if message["completed_at"] is None and message["status"] == "completed":
        message["completed_at"] = now()
    return message


def _part(part: Any) -> dict[str, Any]:
    """A part of a message's content. Its text is an object in answers, but not in requests."""
    if isinstance(part, str):
        part = {"type": "text", "text": part}
    text = part.get("text")
    if part.get("type", "text") == "text":
        value = {"value": text} if isinstance(text, str) else text or {"value": ""}
        return {**part, "type": "text", "text": {"annotations": []} | value}
    return dict(part)


ENDPOINTS = (
    CreateAssistant("beta.assistants.create", "/assistants", ASSISTANT),
    List("beta.assistants.list", "/assistants", ASSISTANT),
    Retrieve("beta.assistants.retrieve", "/assistants/{assistant_id}", ASSISTANT),
    Update("beta.assistants.update", "/assistants/{assistant_id}", ASSISTANT),
    Delete("beta.assistants.delete", "/assistants/{assistant_id}", ASSISTANT),
    CreateThread("beta.threads.create", "/threads", THREAD),
    Retrieve("beta.threads.retrieve", "/threads/{thread_id}", THREAD),
    Update("beta.threads.update", "/threads/{thread_id}", THREAD),
    Delete("beta.threads.delete", "/threads/{thread_id}", THREAD),
    CreateMessage("beta.threads.messages.create", "/threads/{thread_id}/messages", MESSAGE),
    List(
        "beta.threads.messages.list", "/threads/{thread_id}/messages", MESSAGE, filters={"run_id": "run_id"}
    ),
    Retrieve("beta.threads.messages.retrieve", "/threads/{thread_id}/messages/{message_id}", MESSAGE),
    Update("beta.threads.messages.update", "/threads/{thread_id}/messages/{message_id}", MESSAGE),
    Delete("beta.threads.messages.delete", "/threads/{thread_id}/messages/{message_id}", MESSAGE),
)
