"""A thin client for OpenAI and every server with an OpenAI-compatible API."""

from __future__ import annotations

from ssejet.client._client import AsyncClient, Client

__all__ = ["AsyncClient", "Client"]
