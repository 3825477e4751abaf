"""``python -m action``: the command line."""

from action.cli import main

main()
