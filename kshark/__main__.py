"""`python -m kshark`."""

from .cli import main

main()
