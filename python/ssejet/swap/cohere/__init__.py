"""The swap-in for cohere: ``accelerate`` makes a client whose ``chat_stream`` of the API's version 2 is fast.

It takes a ``cohere.ClientV2`` or ``cohere.AsyncClientV2``, and the older clients for their attribute ``v2``.
To speed up all clients of a process, call ``ssejet.install()``.
"""

from __future__ import annotations

from ssejet.swap._install import accelerate

__all__ = ["accelerate"]
