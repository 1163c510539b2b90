"""The HTTP server around the key service. Tornado's web framework stays inside this package."""
