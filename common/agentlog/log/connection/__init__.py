"""A client of librdkafka, its connection to a cluster, and why that fails."""
