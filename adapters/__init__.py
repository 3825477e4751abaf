"""Adapters: everything that touches the world, for both shells."""
