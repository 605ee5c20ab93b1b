"""Answers that survive a reload, a lost connection and a dead worker: one log per answer, many followers."""

from __future__ import annotations

from ssejet.errors import FencedError, HubError, LogFinishedError
from ssejet.hub._async_hub import AsyncHub
from ssejet.hub._hub import Hub

__all__ = ["AsyncHub", "FencedError", "Hub", "HubError", "LogFinishedError"]
