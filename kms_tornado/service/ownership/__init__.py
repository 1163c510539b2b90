"""Whose the objects are: how users are named, renamed, and hand their objects over."""
