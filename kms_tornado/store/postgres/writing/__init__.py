"""Writing to PostgreSQL: jobs that wait share a pipelined transaction."""
