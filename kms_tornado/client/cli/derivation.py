"""`kmsctl derive-key`: a new key from another, or from a password."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TextIO

import click

from .data import naming_file
from .key_names import Key, use_key
from .output import Refused, show_value
from .parameters import HexBytes, InputFile, KMIPName, NewName
from .session import Session

if TYPE_CHECKING:
    from ...kmip.structures import DerivationParameters


@click.command("derive-key")
@click.argument("key", metavar="[KEY]", required=False)
@click.option(
    "--key-id", "-k", metavar="KEY", help="The key to derive from, where it is not an argument."
)
@click.option(
    "--tag",
    "-t",
    "tags",
    metavar="TAG",
    multiple=True,
    help="The key that has this tag; repeatable, it has all.",
)
@click.option(
    "--password",
    "-p",
    metavar="TEXT",
    help="Derive from this password. Everybody on this machine can see it in the list of "
    "processes: --password-file is better.",
)
@click.option(
    "--password-file",
    metavar="FILE",
    type=InputFile("r", encoding="utf-8"),
    help="Derive from the first line of this file; - is stdin.",
)
@click.option(
    "--derivation-method",
    "-m",
    type=KMIPName("DerivationMethod"),
    default="PBKDF2",
    metavar="METHOD",
    show_default=True,
    help="PBKDF2, HKDF, HMAC, HASH and so on.",
)
@click.option("--salt", "-s", type=HexBytes(), metavar="HEX", help="The salt; PBKDF2 needs one.")
@click.option(
    "--iteration-count",
    "-i",
    type=int,
    default=4096,
    metavar="N",
    show_default=True,
    help="Of PBKDF2; passwords want 600000.",
)
@click.option(
    "--initialization-vector", "-v", type=HexBytes(), metavar="HEX", help="Of methods that encrypt."
)
@click.option(
    "--digest-algorithm",
    "-d",
    type=KMIPName("HashingAlgorithm"),
    default="SHA-256",
    metavar="ALGORITHM",
    show_default=True,
    help="SHA-256, SHA-512 and so on.",
)
@click.option(
    "--info",
    "-n",
    type=HexBytes(),
    metavar="HEX",
    help="What the key is for, HKDF's info; data of other methods. Not for PBKDF2.",
)
@click.option(
    "--algorithm",
    "-a",
    type=KMIPName("CryptographicAlgorithm"),
    default="AES",
    metavar="ALGORITHM",
    show_default=True,
    help="Of the new key.",
)
@click.option(
    "--length",
    "-l",
    type=int,
    default=256,
    metavar="BITS",
    show_default=True,
    help="Of the new key.",
)
@click.option(
    "--derived-key-id", metavar="UID", type=NewName(), help="The identifier of the new key."
)
@click.option("--name", metavar="NAME", type=NewName(), help="The Name of the new key.")
@click.pass_obj
def derive_key(
    session: Session,
    /,
    key: str | None,
    key_id: str | None,
    tags: tuple[str, ...],
    password: str | None,
    password_file: TextIO | None,
    algorithm: Any,
    length: int,
    derivation_method: Any,
    derived_key_id: str | None,
    name: str | None,
    **parameters: Any,
) -> None:
    """Derive a new key, and print its identifier.

    The same base with the same parameters gives the same key again. A base that is a key was made with
    the use DeriveKey; a password is stored at the server as long as the derivation takes.

    \b
    kmsctl derive-key master --derivation-method HKDF --salt 00ff --info 6261636b7570
    """  # fmt: skip

    def derive(base: Key) -> str:
        return session.client.derive_key(
            base,
            derivation_method,
            _derivation_parameters(derivation_method, **parameters),
            algorithm=algorithm,
            length=length,
            name=name,
            unique_identifier=derived_key_id,
        )

    text = _read_password(password, password_file)
    if text is None:
        if key is not None and key_id is not None:
            raise click.UsageError("the key is named twice: by an argument and by --key-id")
        identifier = use_key(session, key if key is not None else key_id, tags, derive)
    elif key is not None or key_id is not None or tags:
        raise click.UsageError("a key and a password exclude one another")
    else:
        with _storing_password(session, text) as base:
            identifier = derive(base)
    show_value(identifier, name="unique_identifier")


def _derivation_parameters(
    method: Any,
    *,
    salt: bytes | None,
    iteration_count: int,
    initialization_vector: bytes | None,
    digest_algorithm: Any,
    info: bytes | None,
) -> DerivationParameters:
    from ...kmip.enums import DerivationMethod
    from ...kmip.structures import CryptographicParameters, DerivationParameters

    is_pbkdf2 = method is DerivationMethod.PBKDF2
    if is_pbkdf2 and info is not None:
        raise click.UsageError("PBKDF2 takes no --info: use --derivation-method HKDF")
    return DerivationParameters(
        cryptographic_parameters=CryptographicParameters(hashing_algorithm=digest_algorithm),
        initialization_vector=initialization_vector,
        derivation_data=info,
        salt=salt,
        iteration_count=iteration_count if is_pbkdf2 else None,
    )


def _read_password(password: str | None, file: TextIO | None) -> str | None:
    if password is not None and file is not None:
        raise click.UsageError("--password and --password-file exclude one another")
    text = password if file is None else _read_line(file)
    if text == "":
        raise click.UsageError("the password is empty")
    return text


def _read_line(file: TextIO) -> str:
    name = getattr(file, "name", "<stdin>")
    try:
        with naming_file(name):
            return file.readline().rstrip("\r\n")
    except UnicodeDecodeError:
        raise Refused(f"{name}: the file is no text in UTF-8") from None


@contextmanager
def _storing_password(session: Session, password: str) -> Iterator[str]:
    """The password as an object at the server, which exists only during the block."""
    from ...kmip.attributes import Attributes
    from ...kmip.enums import CryptographicUsageMask
    from ..key_files.kmip_objects import make_secret_data

    client = session.client
    base = client.register(
        make_secret_data(password.encode()),
        attributes=Attributes(cryptographic_usage_mask=int(CryptographicUsageMask.DERIVE_KEY)),
    )
    try:
        yield base
    finally:
        client.revoke(base)
        client.destroy(base, remove=True)
