"""All of httpx. Its ``MockTransport`` also serves clients of httpx2, which openai uses from version 3 on."""

from __future__ import annotations

from httpx import *  # noqa: F403
from httpx import __all__ as __all__

from ssejet.testing._transport import MockTransport as MockTransport  # type: ignore[assignment]
