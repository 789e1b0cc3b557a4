"""The creators of pseudo-anomalies, and training with them."""
