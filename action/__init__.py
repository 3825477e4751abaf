"""Shell 1: the GitHub Action and the command line."""
