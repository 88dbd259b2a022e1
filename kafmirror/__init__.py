"""kafmirror: a copy of Kafka topics in a second cluster, with the same records at the same offsets."""
