"""Searches for objects: conditions, statements and pages."""
