"""What plugins meet: datasets, methods, creators, detectors, executors and observers."""
