"""Prompts that are constants of source code: read from the syntax tree, never executed."""
