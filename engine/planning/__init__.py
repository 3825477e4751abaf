"""Plans experiments: which requests run, what they cost, and which cases form a cluster."""
