"""The gate turns paired outcomes into a verdict with stated error rates."""
