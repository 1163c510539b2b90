"""Managed objects on their way in, out and kept: formats, wrapping and its policy."""
