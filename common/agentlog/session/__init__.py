"""The session, put together from its records: ordered steps, lanes, totals, coverage."""
