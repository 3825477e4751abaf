"""Who may do what, and which approvals count for a verdict."""
