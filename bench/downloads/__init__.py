"""Getting what others publish: transfer, unpacking, and what `bench download` does with both."""
