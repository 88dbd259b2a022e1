"""How an agent's events get from the caller's thread to Kafka or a file: the parts below AgentTracer."""
