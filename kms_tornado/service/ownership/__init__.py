"""Whose objects are whose: how users are named, renamed, and pass their objects on."""
