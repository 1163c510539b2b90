"""The audit of a running service: its records, chains, checkpoints, and who may read them."""
