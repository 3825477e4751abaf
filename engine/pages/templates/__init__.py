"""The templates of the pages, as package data."""
