"""A thin client of OpenAI, and of any server that speaks its language."""

from __future__ import annotations

from ssejet.client._client import AsyncClient, Client

__all__ = ["AsyncClient", "Client"]
