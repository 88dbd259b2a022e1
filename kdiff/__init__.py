"""kdiff: why one session succeeded and another one failed."""
