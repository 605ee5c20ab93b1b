"""Swap-ins for the SDKs and libraries that programs already use.

* ``ssejet.accelerate(client)`` makes a client of openai or anthropic whose streams are decoded, parsed and
  built by ssejet, with the same results.
* ``ssejet.install()`` does that for every client, and for httpx-sse and httpx2.
* `ssejet.swap.httpx_sse` and `ssejet.swap.httpx2` replace these modules.

How to add an SDK:

1. Make a folder ``swap/<package>/`` with a module that has ``PATCHES`` (each a class, an attribute and its
   replacement), ``check()``, and for clients ``accelerate(client)``.
2. ``check()`` compares what the SDK and its fast classes make of the same streams (``_plan.probe.compare``)
   and raises ``UnsupportedError`` on a difference. It checks exactly what the patches rely on.
3. For an SDK that Stainless generated, take the parts from `_stainless`. Only the event that its generator
   makes an item of (``idle``) and the rules for errors and pings are its own.
4. Add the module to ``_SWAP_INS`` in `_install`, and to ``_SDKS`` if it has clients.
5. Add the SDK's versions to ``tests/swap/versions.py``.

Only these modules use an SDK's internals. Each leaves an unknown version alone, with a warning:

* ``openai/_patches.py`` and ``anthropic/_patches.py``: streams, clients and decoders; ``check()``.
* ``openai/_chat.py``: the state of ``chat.completions.stream()``. It takes over only for chunks and snapshots
  of exactly the types and fields that it knows; openai-python handles all others.
* ``httpx_sse/_in_place.py`` and ``httpx2/_in_place.py``: the attributes of an event; ``check()``.
* ``_plan/``: how an SDK's models are constructed, through the functions in ``_plan.builder.Models``.
"""

from __future__ import annotations

__all__ = ["UnsupportedVersionWarning"]


class UnsupportedVersionWarning(UserWarning):
    """ssejet does not know this version of a library, and leaves it unchanged."""
