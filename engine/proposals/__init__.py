"""Proposes checks, rubric dimensions and cases that would have caught failing answers. Pure, but for a judge."""
