"""What happens now: tail, stats, follow, and which clusters answer."""
