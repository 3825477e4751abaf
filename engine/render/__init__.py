"""Renders the scorecard: comment, check, job summary, terminal, web page, JSON. Nothing is decided here."""
