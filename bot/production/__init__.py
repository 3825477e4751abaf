"""Takes in what applications report about their prompts: OTLP in, bounded, durable before it is acknowledged."""
