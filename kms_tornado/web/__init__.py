"""The HTTP server around the service. Tornado stays inside this package."""
