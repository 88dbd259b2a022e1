"""Alignment of the steps of two sessions, and comparison of their payloads."""
