"""The swap-in for anthropic-sdk-python."""
