"""The page for people at ``/ui/``: its files, its HTML, and how one signs in there."""
