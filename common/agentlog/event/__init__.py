"""The event: its fields, its bytes, its place in Kafka or in a file."""
