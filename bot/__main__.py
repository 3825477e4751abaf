"""``python -m bot``: what ``promptverdict bot`` starts."""

from bot.cli import main

if __name__ == "__main__":
    main()
