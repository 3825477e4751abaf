"""Who may accept a verdict, what an approval is bound to, and what an author is trusted with."""
