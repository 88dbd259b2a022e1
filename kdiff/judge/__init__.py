"""The verdict: which divergences matter, and which one decided the outcome."""
