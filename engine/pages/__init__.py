"""The HTML of pages about runs and prompts: templates and one stylesheet. Who may see them is decided elsewhere."""
