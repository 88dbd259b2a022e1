"""Kafka's record batches, what a mirror adds to them, and the decision where a copy continues."""
