"""An event made ready to leave: copied, searched for secrets, priced, and shortened."""
