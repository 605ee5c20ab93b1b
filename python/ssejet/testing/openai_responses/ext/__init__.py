"""What tests need of httpx and respx."""

from __future__ import annotations

from ssejet.testing.openai_responses.ext import httpx, respx

__all__ = ["httpx", "respx"]
