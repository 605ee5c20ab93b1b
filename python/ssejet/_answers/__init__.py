"""What the protocols of answers share: models, growing texts, users' types, and the drivers of streams.

``chat``, ``responses`` and ``messages`` are made of it. A stream is its own manager: see ``streams``.
"""
