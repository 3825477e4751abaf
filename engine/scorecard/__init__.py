"""From decisions and outcomes to the scorecard."""
