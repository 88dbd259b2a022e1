"""What several commands show in the same way: the steps of a session, and references to them."""
