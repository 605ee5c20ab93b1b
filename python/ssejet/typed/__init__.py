"""Typed streams: bytes in, items out."""

from __future__ import annotations

from ssejet.typed._async_stream import AsyncStream
from ssejet.typed._machine import StreamMachine
from ssejet.typed._stream import Stream

__all__ = ["AsyncStream", "Stream", "StreamMachine"]
