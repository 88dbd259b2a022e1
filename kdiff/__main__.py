"""`python -m kdiff`."""

from .cli import main

main()
