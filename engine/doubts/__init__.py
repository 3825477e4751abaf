"""Doubts about scores: reasons that keep a verdict from being approved."""
