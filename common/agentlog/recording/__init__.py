"""What stands behind AgentTracer: from the agent's call to Kafka or a file."""
