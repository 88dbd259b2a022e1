"""How far a copy is behind, and when that is an alert."""
