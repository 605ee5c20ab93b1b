"""Make objects of requests, or of a few fields."""
