"""``make demo-llm``: a small language model on this machine answers, and the gate judges three edits of a prompt."""
