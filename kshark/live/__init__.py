"""Live views of a cluster: tail, stats, replay --follow, and the check of clusters."""
