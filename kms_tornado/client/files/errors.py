"""What goes wrong with files, besides the server."""

from __future__ import annotations

from ..errors import ClientError


class FileError(ClientError):
    """A file cannot be read or written as the caller wishes. Nothing is left of what was begun."""


class UntrueFile(FileError):
    """An encrypted file is not what was once written: cut off, edited, or not one at all."""
