"""Reading of sessions, and what makes them comparable: signatures, ids, noise and side effects."""
