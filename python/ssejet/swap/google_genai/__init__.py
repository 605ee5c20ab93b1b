"""The swap-in for google-genai: ``accelerate`` makes a client whose streams are fast.

It takes a ``google.genai.Client``, or the asynchronous client that is its attribute ``aio``. To speed up all
clients of a process, call ``ssejet.install()``.
"""

from __future__ import annotations

from ssejet.swap._install import accelerate

__all__ = ["accelerate"]
