"""Training and inference of networks. Nothing here knows a run."""
