"""The session that a user asks for: how it is named, found and read."""
