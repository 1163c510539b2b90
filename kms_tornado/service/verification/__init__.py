"""Whether the audit and the objects are what was written: compared on demand, and beside serving."""
