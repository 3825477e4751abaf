"""Evaluators: turn an output and an expectation into scores."""
