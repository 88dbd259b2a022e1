"""Pictures of what the tools show, for the README; `make pictures` makes them anew in `docs/pictures/`."""
