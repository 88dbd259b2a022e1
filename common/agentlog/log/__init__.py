"""The log: topics and capture files, read and written. Only this package imports confluent_kafka."""
