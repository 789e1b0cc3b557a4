"""The methods of the comparison, registered through the same hooks as anyone else's."""
