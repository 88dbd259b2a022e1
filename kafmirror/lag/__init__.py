"""The lag of a copy, the status of its partitions, and alerts."""
