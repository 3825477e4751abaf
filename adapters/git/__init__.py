"""Repositories, read by the git program."""
