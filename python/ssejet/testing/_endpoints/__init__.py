"""The endpoints of the mocks. Each makes a full answer or a stream from a string or a few fields.

To mock another endpoint of OpenAI's or Anthropic's, add it to ``ENDPOINTS`` of the module with its subject.
For a new subject, write a module with ``ENDPOINTS``, and list it here. Copy the one with the most similar
answers:

* ``models``: objects that the mock keeps. Each endpoint is one line, because ``objects`` does their work.
* ``embeddings``: an answer that depends only on the request, without a stream.
* ``choices``: chunks with choices, then ``[DONE]``.
* ``responses``, ``messages``: typed events.

``base`` has the interface, and helpers for ids, words, token counts and errors. Add the route's name to the
classes in ``_openai_routes``, which type checkers read, and test it with the provider's SDK.
"""

from __future__ import annotations

from ssejet.testing._endpoints import (
    assistants,
    choices,
    embeddings,
    files,
    google_genai,
    images,
    messages,
    mistral,
    models,
    moderations,
    responses,
    runs,
    vector_stores,
)
from ssejet.testing._endpoints.base import Asked, Endpoint, RefusedError, anthropic_error, openai_error
from ssejet.testing._endpoints.google_genai import google_error
from ssejet.testing._endpoints.mistral import mistral_error

__all__ = [
    "ANTHROPIC_ENDPOINTS",
    "GOOGLE_GENAI_ENDPOINTS",
    "MISTRAL_ENDPOINTS",
    "OPENAI_ENDPOINTS",
    "Asked",
    "Endpoint",
    "RefusedError",
    "anthropic_error",
    "google_error",
    "mistral_error",
    "openai_error",
]

OPENAI_ENDPOINTS: tuple[Endpoint, ...] = (
    *choices.ENDPOINTS,
    *responses.ENDPOINTS,
    *embeddings.ENDPOINTS,
    *moderations.ENDPOINTS,
    *images.ENDPOINTS,
    *models.ENDPOINTS,
    *files.ENDPOINTS,
    *vector_stores.ENDPOINTS,
    *assistants.ENDPOINTS,
    *runs.ENDPOINTS,
)
ANTHROPIC_ENDPOINTS: tuple[Endpoint, ...] = messages.ENDPOINTS
MISTRAL_ENDPOINTS: tuple[Endpoint, ...] = mistral.ENDPOINTS
GOOGLE_GENAI_ENDPOINTS: tuple[Endpoint, ...] = google_genai.ENDPOINTS
