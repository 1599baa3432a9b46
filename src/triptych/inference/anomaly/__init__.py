"""Anomaly detectors: CATCH and baselines behind PyOD's conventions, in batch and in streams."""
