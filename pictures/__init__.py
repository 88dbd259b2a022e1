"""Pictures of the tools' output for the README. `make pictures` writes them to `docs/pictures/`."""
