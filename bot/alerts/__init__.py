"""Alerts about production: readings once a day, issues and other channels, and the scheduled watch."""
