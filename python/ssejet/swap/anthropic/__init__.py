"""The swap-in for anthropic-sdk-python: ``ssejet.accelerate`` and ``ssejet.install`` use it."""

from __future__ import annotations

__all__: list[str] = []
