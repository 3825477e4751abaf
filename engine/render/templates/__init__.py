"""The HTML report's template, style and script, as package data."""
