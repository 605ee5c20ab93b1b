"""A small client for OpenAI, and for any server that offers the same API.

::

    with Client() as client:
        client.chat.completions.create(model="gpt-5", messages=[{"role": "user", "content": "Hi"}])
"""

from __future__ import annotations

from ssejet.client._client import AsyncClient, Client

__all__ = ["AsyncClient", "Client"]
