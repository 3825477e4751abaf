"""Fills in templates as the gate does, so that an application sends what was measured.

It repeats the gate's rules, because an application shouldn't install the gate. Tests compare the two on every dialect.
"""
