"""The plan of a mirror: what it would do, and the reasons why it can't."""
