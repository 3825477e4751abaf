"""What production reports about prompts: from the spans of a trace to the calls that pages and statistics count."""
