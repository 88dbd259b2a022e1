"""The user's settings: agentlog.toml, clusters, properties, and the forms of times and offsets."""
