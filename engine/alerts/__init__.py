"""Alerts: from readings to states that don't flicker, and what people read about them."""
