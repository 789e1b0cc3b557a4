"""The figures of the report, and the video: one module for each."""
