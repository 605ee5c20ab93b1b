"""Plans for building an SDK's models directly from JSON."""
