"""The bot at work on a fake GitHub. Runs from a checkout only."""
