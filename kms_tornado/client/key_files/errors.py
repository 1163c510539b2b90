"""What can be wrong with a file that holds a key."""

from __future__ import annotations

from ..errors import ClientError


class KeyFileError(ClientError):
    """The file does not hold what was asked for, or cannot hold it. The text never shows what is in the file."""


class PasswordRequired(KeyFileError):
    """The file is encrypted, and no password was given."""


class WrongPassword(KeyFileError):
    """The password does not open the file."""
