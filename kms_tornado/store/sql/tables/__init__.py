"""The tables, and what stands in the rows of each one."""
