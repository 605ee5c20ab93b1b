"""The swap-in for openai-python: ``accelerate`` makes a client whose streams are fast.

It takes a client such as ``OpenAI``, ``AsyncOpenAI`` or ``AzureOpenAI``. To speed up all clients of a
process, call ``ssejet.install()``.
"""

from __future__ import annotations

from ssejet.swap._install import accelerate

__all__ = ["accelerate"]
