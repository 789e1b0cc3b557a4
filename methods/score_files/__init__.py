"""Files of scores that other programs wrote: their formats, and whose scores they are."""
