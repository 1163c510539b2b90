"""The shell: Tornado stays inside this package."""
