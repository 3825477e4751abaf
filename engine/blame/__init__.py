"""Blame: which changed parts of a prompt break its cases."""
