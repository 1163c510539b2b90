"""The master keys: where they come from, and how one replaces another."""
