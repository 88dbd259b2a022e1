"""The plan: what would be mirrored, and what speaks against it."""
