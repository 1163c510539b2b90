"""The audit's records, chains and checkpoints as pure values: no database, no clock, no file."""
