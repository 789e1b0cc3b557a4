"""What is kept of a cell beside its scores, on request: a module for each kind."""
