"""Converts the events of models into the protocols of front ends.

``reader`` takes the events of ``ssejet.chat``, ``ssejet.responses`` and ``ssejet.messages``, and passes
them to a ``Writer``. The writers are in ``ssejet.emit.ai_sdk`` and ``ssejet.emit.ag_ui``. ``codec`` joins a
reader and a writer to the codec of an event stream.
"""

from __future__ import annotations
