"""The preparation of an event: it is copied, searched for secrets, priced and shortened."""
