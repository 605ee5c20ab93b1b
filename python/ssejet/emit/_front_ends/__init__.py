"""Converts the events of models into the protocols of front ends.

``reader`` takes the events of ``ssejet.chat``, ``ssejet.responses`` and ``ssejet.messages``, and tells a
``Writer`` what they mean. The writers are in ``ssejet.emit.ai_sdk`` and ``ssejet.emit.ag_ui``. ``codec``
makes a codec of both for an event stream.
"""

from __future__ import annotations
