"""Shell 1: GitHub Action events, and the command line."""
