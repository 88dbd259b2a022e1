"""`kshark report`: a session as one HTML page without external files."""
