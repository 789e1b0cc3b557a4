"""From a request to the cells that have to run."""
