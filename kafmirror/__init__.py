"""kafmirror: keeps a Kafka topic in a second cluster, record by record at the same offsets."""
