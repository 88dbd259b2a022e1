"""An event and its bytes: what it is, how it is read and written, where it lies."""
