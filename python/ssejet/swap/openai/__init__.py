"""The swap-in for openai-python."""
