"""Promoted versions: what a commit offers, and the verdict of a promotion."""
