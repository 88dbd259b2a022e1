"""A session put together from its records: steps in order, lanes, totals, and how complete it is."""
