"""Readers of the files that people commit: prompts, test sets, configuration and rubrics, as bounded data."""
