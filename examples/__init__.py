"""Real prompts with real test sets, shipped with the program so that ``promptverdict demo`` finds them anywhere."""
