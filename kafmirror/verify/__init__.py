"""Source and target compared, record by record."""
