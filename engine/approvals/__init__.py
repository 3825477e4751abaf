"""Approvals: which reviewers can accept a verdict, what an approval covers, and how far an author is trusted."""
