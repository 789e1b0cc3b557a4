"""One cell in one process."""
