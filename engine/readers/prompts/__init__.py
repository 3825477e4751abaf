"""Readers of prompt formats. There is one module for each format; ``READERS`` lists them."""

from engine.readers.prompts.registry import (
    READERS,
    PromptReader,
    is_prompt_path,
    may_hold_prompt,
    read_prompt,
)

__all__ = ["READERS", "PromptReader", "is_prompt_path", "may_hold_prompt", "read_prompt"]
