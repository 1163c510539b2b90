"""The audit in rows: chains, records and their index, and the objects that are checked against them."""
