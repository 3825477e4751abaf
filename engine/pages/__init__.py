"""The HTML of pages about runs and prompts: templates and one stylesheet. bot/pages checks who may see them."""
