"""What the broken cases of a comparison have in common."""
