"""Model providers, which answer requests."""
