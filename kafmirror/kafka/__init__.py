"""Requests to both clusters. Only this package imports kafka-python."""
