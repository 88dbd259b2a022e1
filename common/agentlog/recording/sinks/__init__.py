"""The sinks that take events: Kafka and the capture file, behind one contract."""
