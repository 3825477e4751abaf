"""Shell 2: the GitHub App service: webhooks, commands, durable runs, database."""
