"""Suggests slices for test cases: by rules, by similar cases and by a model. Pure; a model is asked through a port."""
