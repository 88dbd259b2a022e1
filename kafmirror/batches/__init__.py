"""Kafka's record batches, and the decision where a copy goes on."""
