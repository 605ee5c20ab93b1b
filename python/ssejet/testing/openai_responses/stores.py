"""The objects that a mock keeps."""

from __future__ import annotations

from ssejet.testing._store import ContentStore, StateStore

__all__ = ["ContentStore", "StateStore"]
