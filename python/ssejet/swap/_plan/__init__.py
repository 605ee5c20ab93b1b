"""Plans: how an SDK's models are built straight from JSON."""
