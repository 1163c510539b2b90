"""The options by which the commands for files read and write ckms's format."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Self, TypeVar

import click

from ...files.ckms_algorithms import DataAlgorithm, KeyAlgorithm

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class CkmsChoice:
    """How a file of ckms is encrypted. key_algorithm: None where the server encrypts the data itself."""

    #: The parameters of `from_options`, which are those of the commands.
    OPTIONS: ClassVar = (
        "is_ckms",
        "data_algorithm",
        "key_algorithm",
        "authentication_data",
        "nonce",
    )

    data_algorithm: DataAlgorithm
    key_algorithm: KeyAlgorithm | None
    nonce: bytes | None
    authentication_data: bytes | None

    @classmethod
    def from_options(
        cls,
        *,
        is_ckms: bool,
        data_algorithm: str | None,
        key_algorithm: str | None,
        authentication_data: str | None,
        nonce: str | None = None,
    ) -> Self | None:
        """The choice; None for a file in kmsctl's own format.

        Raises click.UsageError for options that do not apply to it.
        """
        stated = (data_algorithm, key_algorithm, authentication_data, nonce)
        if not is_ckms:
            if any(value is not None for value in stated):
                raise click.UsageError(
                    "algorithms, nonce and authentication data belong to ckms's format: add --ckms, or leave "
                    "them out"
                )
            return None
        return cls(
            DataAlgorithm(data_algorithm or DataAlgorithm.AES_GCM),
            KeyAlgorithm(key_algorithm) if key_algorithm else None,
            _parse_hexadecimal("--nonce", nonce),
            _parse_hexadecimal("--authentication-data", authentication_data),
        )


def ckms_options(*, is_encryption: bool) -> Callable[[F], F]:
    """Adds the options to a command, as is_ckms, data_algorithm, key_algorithm, authentication_data, nonce."""
    options = [
        click.option("--ckms", "is_ckms", is_flag=True,
                     help="Cosmian's own format: one message, without a header."),
        click.option("-d", "--data-encryption-algorithm", "data_algorithm",
                     type=click.Choice([algorithm.value for algorithm in DataAlgorithm]),
                     help="With --ckms: what encrypts the data (aes-gcm)."),
        click.option("-e", "--key-encryption-algorithm", "key_algorithm",
                     type=click.Choice([algorithm.value for algorithm in KeyAlgorithm]),
                     help="With --ckms: what wraps a data key, so that the data stay here. Without, the "
                     "server gets the data."),
        click.option("-a", "--authentication-data", metavar="HEX",
                     help="With --ckms: what is authenticated with the data, and needed again."),
    ]  # fmt: skip
    if is_encryption:
        options.append(
            click.option(
                "-n", "--nonce", metavar="HEX", help="With --ckms: instead of a random one."
            )
        )

    def add(command: F) -> F:
        for option in reversed(options):
            command = option(command)
        return command

    return add


def _parse_hexadecimal(flag: str, text: str | None) -> bytes | None:
    if text is None:
        return None
    try:
        return bytes.fromhex(text)
    except ValueError:
        raise click.UsageError(f"{flag} takes hexadecimal digits, two for each byte") from None
