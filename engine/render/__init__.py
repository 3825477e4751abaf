"""The scorecard on every surface: comment, check, job summary, terminal, web page, JSON. Nothing is decided here."""
