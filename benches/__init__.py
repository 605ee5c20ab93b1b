"""Benchmarks: the same bytes through every decoder, each checked before it is timed."""
