"""Converts the events of models into the protocols of front ends.

``reader`` takes the events of ``ssejet.chat``, ``ssejet.responses`` and ``ssejet.messages``, and passes them
to a ``Writer``. The writer keeps the order that front ends expect, and has a ``Protocol`` write each part.
The protocols are in ``ssejet.emit.ai_sdk`` and ``ssejet.emit.ag_ui``. ``codec`` joins the three to the codec
of an event stream.
"""

from __future__ import annotations
