"""What is kept of an experiment, and deciding it again."""
