"""Make objects of requests, and change them."""

from __future__ import annotations

from ssejet.testing.openai_responses.helpers import builders, mergers

__all__ = ["builders", "mergers"]
