"""The names of a log's keys in Redis."""

from __future__ import annotations

from zlib import crc32

__all__ = ["Names"]


# In a cluster, into how many parts the logs are divided. All processes need the same number.
_PARTS = 32


class Names:
    """Names keys. Those of one log share a hash tag, so that a Redis Cluster keeps them in one place.

    A read that waits can only read keys of one slot. So in a cluster, logs are divided into parts, and those
    of one part share a hash tag: one read serves them all.

    Args:
        prefix: the first part of all names.
        is_cluster: whether a cluster has the logs.
    """

    def __init__(self, prefix: str, *, is_cluster: bool = False) -> None:
        self._prefix = prefix
        self._is_cluster = is_cluster

    def part(self, key: str) -> str:
        """The part that has a log."""
        return f"{crc32(key.encode()) % _PARTS:02}" if self._is_cluster else ""

    def meta(self, key: str) -> str:
        """The hash with the state of a log."""
        return f"{self._base(key)}:meta"

    def log(self, key: str) -> str:
        """The stream with the entries of a log."""
        return f"{self._base(key)}:log"

    def writer(self, key: str, writer: str) -> str:
        """The hash with what a writer has appended."""
        return f"{self._base(key)}:w:{writer}"

    def wake(self, part: str, hub: str) -> str:
        """The stream that ends the blocking read of a hub for a part."""
        return f"{self._tagged(part)}:wake:{hub}" if part else f"{self._prefix}:wake:{hub}"

    def _base(self, key: str) -> str:
        # A brace of the key's own would end the hash tag.
        tag = key.replace("%", "%25").replace("{", "%7B").replace("}", "%7D")
        if self._is_cluster:
            return f"{self._tagged(self.part(key))}:{tag}"
        return f"{self._prefix}:{{{tag}}}"

    def _tagged(self, part: str) -> str:
        return f"{{{self._prefix}:{part}}}"
