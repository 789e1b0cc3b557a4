"""The tables beside the comparison, a module each."""
