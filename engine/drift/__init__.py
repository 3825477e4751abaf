"""Drift in production: whether decisions shift from their past, from the test set, or with a new model."""
