"""The commands: each one's options, its run, and what it prints."""
