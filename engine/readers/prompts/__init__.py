"""Prompts in the formats that people have. One module for each format; ``READERS`` is the open list of them."""

from engine.readers.prompts.registry import (
    READERS,
    PromptReader,
    find_prompts,
    is_prompt_path,
    may_hold_prompt,
    read_prompt,
)

__all__ = ["READERS", "PromptReader", "find_prompts", "is_prompt_path", "may_hold_prompt", "read_prompt"]
