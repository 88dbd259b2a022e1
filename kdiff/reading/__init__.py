"""Two sessions read and made comparable: signatures, ids, noise, and side effects."""
