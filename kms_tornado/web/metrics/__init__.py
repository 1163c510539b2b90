"""The metrics for Prometheus: where their figures come from, and how they are written."""
