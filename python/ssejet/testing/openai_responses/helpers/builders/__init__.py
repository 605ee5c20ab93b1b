"""Make objects of requests, or of a few fields."""

from __future__ import annotations

__all__: list[str] = []
