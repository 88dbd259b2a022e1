"""The spans, methods and decorators that record events, and the context that links events to their parents."""
