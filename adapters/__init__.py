"""Everything that touches the world, for both shells."""
