"""Drift of production: whether the mix of decisions leaves its past, what staging measured, or changes by model."""
