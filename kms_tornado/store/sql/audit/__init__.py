"""The audit as rows: chains, records and their index, and the objects beside them."""
