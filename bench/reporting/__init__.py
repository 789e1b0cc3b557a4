"""Everything that is made of a run: writing it, verifying it, loading it in Python."""
