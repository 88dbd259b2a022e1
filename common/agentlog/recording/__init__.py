"""The parts behind AgentTracer: they take an event from the agent's call to Kafka or a file."""
