"""From changed prompts to requests: what runs, what it costs, which cases count as one."""
