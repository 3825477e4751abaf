"""The scheduled watch: the same version on the same cases again, compared through the gate with its stored answers."""
