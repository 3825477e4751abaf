"""The bot at work on a GitHub of our own; runs from a checkout only."""
