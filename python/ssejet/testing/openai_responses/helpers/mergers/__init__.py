"""Change fields of objects."""
