"""The datasets, registered through the same hooks as anyone else's."""
