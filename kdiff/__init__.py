"""kdiff: why did one session succeed and another one fail."""
