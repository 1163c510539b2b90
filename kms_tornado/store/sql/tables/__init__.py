"""The tables, and what the rows of each one contain."""
