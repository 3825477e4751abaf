"""The bot's database: what was delivered, run, decided, shown and allowed. SQLite by default, Postgres by URL."""
