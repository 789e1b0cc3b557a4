"""Where cells run: on this machine, on a Dask cluster, or on SLURM."""
