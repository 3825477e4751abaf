"""Records of experiments, and deciding them again."""
