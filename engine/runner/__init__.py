"""The one async stage: asks what the gate wants to know, at the provider's pace and within the budget."""
