"""Network blocks that several methods share."""
