"""Swap-ins for the SDKs and libraries that programs use already.

* ``ssejet.accelerate(client)`` makes a client of openai or anthropic whose streams are decoded, parsed and
  built by ssejet, with the same results.
* ``ssejet.install()`` does that for every client, and for httpx-sse and httpx2.
* `ssejet.swap.httpx_sse` and `ssejet.swap.httpx2` stand in for these modules.
"""

from __future__ import annotations

__all__ = ["UnsupportedVersionWarning"]


class UnsupportedVersionWarning(UserWarning):
    """A library is of a version that ssejet does not know how to speed up, and is left as it is."""
