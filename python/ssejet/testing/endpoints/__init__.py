"""What the endpoints of a provider answer, made from as little as a text."""

from __future__ import annotations

from ssejet.testing.endpoints.base import Endpoint, anthropic_error, openai_error
from ssejet.testing.endpoints.choices import ChatCompletions, Completions
from ssejet.testing.endpoints.messages import Messages, TokenCount
from ssejet.testing.endpoints.responses import Responses

__all__ = [
    "ChatCompletions",
    "Completions",
    "Endpoint",
    "Messages",
    "Responses",
    "TokenCount",
    "anthropic_error",
    "openai_error",
]
