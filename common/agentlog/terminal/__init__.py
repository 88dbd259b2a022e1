"""The terminal: options, exit codes, output, and signals that all tools share."""
