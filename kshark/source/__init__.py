"""The session that a user asks for: the request, the source that finds it, and the loaded session."""
