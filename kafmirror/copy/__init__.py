"""The mirror at work: batches fetched, sent, and resumed."""
