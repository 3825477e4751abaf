"""Edits of prompt files that rewrite only what was edited, in the form that the file has."""


class NotEditableError(Exception):
    """The file can't be edited safely. The message says why, as a part of a sentence."""
