"""The running mirror: it fetches and sends batches, and finds where each partition continues."""
