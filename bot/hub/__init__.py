"""The hub: promoted versions, how they move, and how applications read them."""
