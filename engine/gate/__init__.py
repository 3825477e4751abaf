"""The gate: from paired outcomes to a verdict with stated error rates."""
