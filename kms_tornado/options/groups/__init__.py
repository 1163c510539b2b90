"""The rows of the table of options, one module for each group that `--help` shows."""
