"""The swap-in for anthropic-sdk-python: ``accelerate`` makes a client whose streams are fast.

It takes a client such as ``Anthropic`` or ``AsyncAnthropic``. To speed up all clients of a process, call
``ssejet.install()``.
"""

from __future__ import annotations

from ssejet.swap._install import accelerate

__all__ = ["accelerate"]
