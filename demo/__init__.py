"""The demos: a toy model, staged pull requests, and the bot at work. No key, no network."""
