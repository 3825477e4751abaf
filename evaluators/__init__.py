"""Output and expectation in, Score out."""
