"""The engine: detect, plan, run, compare, decide, render. Pure, except for one async stage."""
