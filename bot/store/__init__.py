"""The bot's database: deliveries, runs, verdicts, comments and approvals. SQLite by default, Postgres by URL."""
