"""The one async stage: answers the gate's requests at the provider's pace and within the budget."""
