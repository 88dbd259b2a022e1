"""The catalogue: an SQLite index of a topic's sessions, with their totals and offsets, kept between runs."""
