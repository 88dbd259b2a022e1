"""Adapters that record what agent frameworks and model clients do; each needs its library, and only where it's used."""
