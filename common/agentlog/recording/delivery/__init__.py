"""The delivery of events from the agent's thread to a sink: the queue, the sender, the spool and the accounts."""
