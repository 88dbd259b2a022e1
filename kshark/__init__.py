"""kshark: what did a session do, step by step, and why."""
