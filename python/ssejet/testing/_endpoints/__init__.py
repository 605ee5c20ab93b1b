"""What the endpoints of a provider answer, made from as little as a text."""

from __future__ import annotations

from ssejet.testing._endpoints.base import Endpoint, anthropic_error, openai_error
from ssejet.testing._endpoints.choices import ChatCompletions, Completions
from ssejet.testing._endpoints.messages import Messages, TokenCount
from ssejet.testing._endpoints.responses import Responses

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
