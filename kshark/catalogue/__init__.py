"""The catalogue: what is known of a topic's sessions, kept in a file, so that no question reads the log anew."""
