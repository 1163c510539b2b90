"""Faults of settings: found together, refused together."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ..errors import ConfigurationError


class InconsistentSettings(ConfigurationError):
    """Settings that make no sense, alone or together. faults: all that were found."""

    def __init__(self, faults: tuple[ConfigurationError, ...]) -> None:
        super().__init__("; ".join(map(str, faults)))
        self.faults = faults


def refuse_faults(faults: Iterable[ConfigurationError]) -> None:
    """Raise InconsistentSettings for all of them, if there are any."""
    if all_faults := tuple(faults):
        raise InconsistentSettings(all_faults)


def find_load_faults(
    max_body_size: int, user_rate: int, user_concurrency: int
) -> Iterator[ConfigurationError]:
    """Faults in the limits on requests, of the server and of an application that mounts the KMS."""
    bounds = {
        "max_body_size": (max_body_size, 1, "a whole number, at least 1 byte"),
        "user_rate": (user_rate, 0, "a whole number, not negative"),
        "user_concurrency": (user_concurrency, 0, "a whole number, not negative"),
    }
    for name, (value, least, text) in bounds.items():
        if type(value) is not int or value < least:
            yield ConfigurationError(text, name)
