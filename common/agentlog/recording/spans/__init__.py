"""What a user records with: spans, verbs, decorators, and the context that links them."""
