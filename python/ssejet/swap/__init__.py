"""Swap-ins for the SDKs and libraries that programs already use.

* ``ssejet.accelerate(client)`` makes a client of openai or anthropic whose streams ssejet decodes, parses and
  builds, with the same results.
* ``ssejet.install()`` does that for every client, and for httpx-sse and httpx2.
* ``ssejet.swap.httpx_sse`` and ``ssejet.swap.httpx2`` replace the modules of these names.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ssejet._lazy import on_demand

if TYPE_CHECKING:
    from ssejet.swap._install import Installation

__all__ = ["Installation", "UnsupportedVersionWarning"]


class UnsupportedVersionWarning(UserWarning):
    """ssejet does not know how to speed up this version of a library, and does not change it."""


if not TYPE_CHECKING:
    __getattr__, __dir__ = on_demand(globals(), {"Installation": "ssejet.swap._install"})
