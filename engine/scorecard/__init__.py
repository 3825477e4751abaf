"""Builds the scorecard from decisions and outcomes."""
