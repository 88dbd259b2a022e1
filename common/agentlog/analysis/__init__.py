"""Conclusions about a session: what follows from what, what failed, and where it went wrong."""
