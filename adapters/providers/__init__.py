"""Model providers: who answers a request."""
