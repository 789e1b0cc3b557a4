"""Files on disk: caches, claims, checksums, names of frames."""
