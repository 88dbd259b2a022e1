"""`kshark report`: a session as one HTML page that needs nothing else."""
