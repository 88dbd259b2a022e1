"""Steps of both sessions matched, and the payloads of each pair compared."""
