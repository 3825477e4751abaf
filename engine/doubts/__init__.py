"""Why scores may not be trusted: reasons that keep a verdict from being approved."""
