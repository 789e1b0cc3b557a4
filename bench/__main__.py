"""`python -m bench`: the command line."""

from .cli import main

main()
