"""Kafka, read by partition and offset and written in order: the only package that imports confluent_kafka."""
