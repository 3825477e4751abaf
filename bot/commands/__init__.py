"""Commands in comments: parsed, permitted or refused, executed, and answered once.

A command is one module with a subclass of ``command.Command``, and one line in ``catalog``.
"""
