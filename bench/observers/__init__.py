"""Where the progress of a run is sent: TensorBoard and MLflow."""
