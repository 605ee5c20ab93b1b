"""Lets ``python -m ssejet`` run the command ``ssejet``."""

from __future__ import annotations

from ssejet.cli import main

if __name__ == "__main__":
    main()
