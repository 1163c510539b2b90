"""What the operator has to mend: a setting, or what an issuer publishes as its keys."""

from __future__ import annotations

from .base import KMSError


class ConfigurationError(KMSError, ValueError):
    """A setting is missing or nonsense; exit code 2.

    text: what is wrong. fields: the settings concerned, named as in `settings`, starting with the one to
    change; () where no setting is at fault. ``str()`` names the first. Only `options` knows how an option
    is spelled and where it was set.
    """

    def __init__(self, text: str, *fields: str) -> None:
        super().__init__(text, *fields)
        self.text = text
        self.fields = fields

    @property
    def field(self) -> str | None:
        """The setting to change, or None."""
        return self.fields[0] if self.fields else None

    def __str__(self) -> str:
        return self.text if self.field is None else f"{self.field}: {self.text}"


class WrongArgumentType(ConfigurationError, TypeError):
    """An argument of an application's code has a value of another type."""


class KeySetError(KMSError):
    """An issuer's key set could not be fetched, parsed or used.

    ``str()`` is for the operator; cause: a few fixed words that may be told to anybody.
    """

    def __init__(self, text: str, cause: str = "not a key set") -> None:
        super().__init__(text)
        self.cause = cause
