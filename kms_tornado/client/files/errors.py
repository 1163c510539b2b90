"""What can go wrong with files, apart from the server."""

from __future__ import annotations

from ..errors import ClientError


class FileError(ClientError):
    """A file cannot be read or written as the caller wants. Nothing is left of a file that was begun."""


class UntrueFile(FileError):
    """An encrypted file is not as it was written: cut off, edited, or not such a file at all."""
