"""What Alembic runs: the connection is given by ``bot.store.schema``, whose transaction it is."""

from alembic import context

from bot.store.tables import Table

context.configure(connection=context.config.attributes["connection"], target_metadata=Table.metadata)
context.run_migrations()
