"""kshark: the console tool that replays a session and explains it."""
