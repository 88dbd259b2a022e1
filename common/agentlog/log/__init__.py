"""A topic or a capture file, read and written. Only this package imports confluent_kafka."""
