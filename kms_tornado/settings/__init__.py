"""What the server was told, as frozen values that refuse nonsense.

Nothing here knows where a value came from: `options` reads flags, environment and file, and names
the source in front of each fault found here.
"""
