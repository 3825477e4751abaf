"""The verbs: detect, plan, run, compare, decide, render. Pure but for one async stage."""
