"""The user's settings: agentlog.toml, clusters, properties, and what a time may look like."""
