"""The rules for one token, in order: its claims, and whom they name."""
