"""When and under which name a verdict is shown."""
