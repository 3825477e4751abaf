"""One module per page: reads the store, and returns a template with its values."""
