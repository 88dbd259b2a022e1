"""`kshark replay`: a session step by step, in five formats."""
