"""Declares the commands of ``promptverdict``: names, options, help. The code of each is imported when it runs."""
