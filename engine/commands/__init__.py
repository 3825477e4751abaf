"""The pure parts of single commands: ``init``, ``tests lint``, ``plan``, ``power`` and ``schema``."""
