"""The diagnosis of where a session went wrong, and the rules that find it."""
