"""Walks over a whole database: copied, checked, sealed anew."""
