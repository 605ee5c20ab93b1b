"""Swap-ins for the SDKs and libraries that programs already use.

* ``ssejet.accelerate(client)`` makes a client of an SDK whose streams are decoded, parsed and built by
  ssejet, with the same results.
* ``ssejet.install()`` does that for every client, and for httpx-sse and httpx2.
* ``ssejet.swap.httpx_sse`` and ``ssejet.swap.httpx2`` replace these modules.
"""

# To add an SDK, add an entry to `ENTRIES` in `_registry`, which says what its module must have. An SDK that
# Stainless generated needs none: `_stainless` recognises it by its structure.
#
# Only these modules use an SDK's internals. Each leaves an unknown version alone, with a warning:
#
# * `_stainless.py` and `_stainless_rules.py`: streams, clients and decoders of SDKs that Stainless
#   generated; `check()` and what it needs.
# * `openai/_chat.py`: the state of `chat.completions.stream()`. It takes over only for chunks and snapshots
#   of exactly the types and fields that it knows; openai-python handles all others.
# * `anthropic/_messages.py`: the functions behind `messages.stream()`, with the same caution.
# * `google_genai/_patches.py` and `google_genai/_responses.py`: the streams of chunks, and how the SDK
#   makes a response of the JSON; `check()`.
# * `_fern.py` and `cohere/_patches.py`: the event sources of SDKs that Fern generated, the methods that
#   read them, and the raw clients; `check()`.
# * `httpx_sse/_in_place.py` and `httpx2/_in_place.py`: the attributes of an event; `check()`.
# * `_above/`: libraries that use the SDKs. These are left alone without a warning.
# * `_plan/`: how an SDK's models are constructed, through the functions in `_plan.builder.Models`.

from __future__ import annotations

from typing import TYPE_CHECKING

from ssejet._lazy import on_demand

if TYPE_CHECKING:
    from ssejet.swap._install import Installation, PackageReport

__all__ = ["Installation", "PackageReport", "UnsupportedVersionWarning"]


class UnsupportedVersionWarning(UserWarning):
    """ssejet does not know this version of a library, and leaves it unchanged."""


if not TYPE_CHECKING:
    __getattr__, __dir__ = on_demand(
        globals(), {"Installation": "ssejet.swap._install", "PackageReport": "ssejet.swap._install"}
    )
