"""Reading what people commit: prompts, test sets, configuration and rubrics, as data and within bounds."""
