"""Training of anomaly detectors' networks."""
