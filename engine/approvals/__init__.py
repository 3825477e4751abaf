"""Approvals: who may accept a verdict, what an approval is bound to, and how far an author is trusted."""
