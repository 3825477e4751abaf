"""The rules of checks: one module for each key of ``CheckRule``, with a function ``build(value, where)``.

``build`` takes the value of the key, with the case's variables filled in. It returns a function that takes an output
and says what is wrong with it, or returns an empty text. It raises ConfigError for a value that no output could pass or
fail. ``where`` names the check in messages. A rule never raises, whatever the output is.
"""
