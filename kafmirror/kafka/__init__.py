"""Connections and requests to both clusters. Only this package imports kafka-python."""
