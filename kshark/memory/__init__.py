"""`kshark memory`: what an agent knew at a point of its session."""
