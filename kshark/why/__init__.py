"""`kshark why`: the chain that led to a step, or where a session went wrong."""
