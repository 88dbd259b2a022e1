"""`python -m kafmirror`."""

from .cli import main

main()
