"""The comparison of source and target, record by record."""
