"""New test cases: from a failure in production or a pasted input, or written by a model. Pure."""
