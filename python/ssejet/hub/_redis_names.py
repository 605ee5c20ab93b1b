"""The names of a log's keys in Redis."""

from __future__ import annotations

__all__ = ["Names"]


class Names:
    """Names keys. Those of one log share a hash tag, so that a Redis Cluster keeps them in one place.

    Args:
        prefix: the first part of all names.
    """

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix

    def meta(self, key: str) -> str:
        """The hash with the state of a log."""
        return f"{self._base(key)}:meta"

    def log(self, key: str) -> str:
        """The stream with the entries of a log."""
        return f"{self._base(key)}:log"

    def writer(self, key: str, writer: str) -> str:
        """The hash with what a writer has appended."""
        return f"{self._base(key)}:w:{writer}"

    def wake(self, hub: str) -> str:
        """The stream that ends the blocking read of a hub."""
        return f"{self._prefix}:wake:{hub}"

    def _base(self, key: str) -> str:
        # A brace of the key's own would end the hash tag.
        tag = key.replace("%", "%25").replace("{", "%7B").replace("}", "%7D")
        return f"{self._prefix}:{{{tag}}}"
