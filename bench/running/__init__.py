"""Plan, worker processes, training loop, inference engine, checkpoints and progress."""
