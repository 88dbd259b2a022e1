"""Conclusions about a session: what a call came to, what follows from what, and what failed."""
