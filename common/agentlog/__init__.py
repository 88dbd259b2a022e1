"""The core that agentlog's tools share."""
