"""How many windows a network scores at once."""

BATCH = 4
"""Windows, or streamed frames, at once. Chosen here, measured on a CPU: at 8 features leave the
caches, which costs C3DSU of latent 64 an eighth of its time and 3D networks up to half; at 2 only
these gain further. Not measured on a GPU."""
