"""The page for people at ``/ui/``: its files, its shell, and how one signs in there."""
