"""The verb `create`, and the short `kmsctl create NAME`."""

from __future__ import annotations

import base64
import os
from typing import Any

import click

from ..output import printing, say, show_fields, show_json, show_value
from ..parameters import NewName, WholeNumber
from ..session import Session
from .algorithms import ALGORITHMS, CURVES, find_algorithm
from .nouns import Noun
from .options import describing, make_attributes, with_options
from .passwords import ask_new_secret, warn_of_argument
from .saving import read_input

#: The length of a seed that is made here.
SEED_BYTES = 32


# --- symmetric keys -----------------------------------------------------------------------------


def make_create_sym(noun: Noun) -> click.Command:
    @click.command(epilog="kmsctl sym keys create --name billing --tag invoices")
    @click.argument("identifier", required=False, metavar="[KEY_ID]", type=NewName())
    @click.option(
        "length",
        "--number-of-bits",
        "-l",
        type=WholeNumber(8, 65536),
        metavar="BITS",
        help="The length of the key; 256 for AES.",
    )
    @click.option(
        "octets",
        "--bytes-b64",
        "-k",
        metavar="BASE64",
        help="The key itself. Others see it in the list of processes: better import a file.",
    )
    @click.option(
        "algorithm",
        "--algorithm",
        "-a",
        type=click.Choice(list(ALGORITHMS), False),
        default="aes",
        show_default=True,
        help="What the key is for.",
    )
    @click.option(
        "wrapping_key",
        "--wrapping-key-id",
        "-w",
        metavar="KEY",
        help="Keep the new key wrapped by this one.",
    )
    @describing(noun)
    @click.pass_obj
    def create(session: Session, /, identifier: str | None, **options: Any) -> None:
        """Make a new symmetric key. KEY_ID: its identifier, instead of a random one."""
        uid = _create_symmetric(session, identifier, **options)
        show_value(uid, name="unique_identifier")
        _say_what_next(uid, options["name"], options["algorithm"])

    return create


def _create_symmetric(
    session: Session, identifier: str | None, *, length: int | None, octets: str | None,
    algorithm: str, wrapping_key: str | None, usages: tuple[str, ...], sensitive: bool, **naming: Any,
) -> str:  # fmt: skip
    """Create a key at the server, or import one whose bytes are given; its identifier."""
    kmip_name, usual_length = ALGORITHMS[algorithm]
    attributes = make_attributes(usages, sensitive=sensitive)
    if octets is not None:
        if wrapping_key is not None:
            raise click.UsageError("--wrapping-key-id is for keys that the server makes")
        warn_of_argument("a key", "kmsctl sym keys import FILE")
        return _bring_octets(session, identifier, octets, algorithm, attributes, naming)
    if wrapping_key is not None:
        attributes = _with_wrapping_key(session, attributes, wrapping_key)
    uid: str = session.client.create_symmetric_key(
        kmip_name, length or usual_length, unique_identifier=identifier, attributes=attributes,
        **naming,
    )  # fmt: skip
    return uid


def _bring_octets(
    session: Session,
    identifier: str | None,
    text: str,
    algorithm: str,
    attributes: Any,
    naming: Any,
) -> str:
    from ...key_files.kmip_objects import make_symmetric_key

    try:
        octets = base64.b64decode(text, validate=True)
    except ValueError:
        raise click.UsageError("--bytes-b64 is not base64") from None
    uid: str = session.client.import_object(
        make_symmetric_key(octets, find_algorithm(algorithm)),
        unique_identifier=identifier, attributes=attributes, **naming,
    )  # fmt: skip
    return uid


def _with_wrapping_key(session: Session, attributes: Any, wrapping_key: str) -> Any:
    """The attributes, with the vendor attribute by which ckms asks the server to store a new key wrapped."""
    from ....kmip.attributes import TAG_VENDOR
    from ....kmip.structures import VendorAttribute
    from ..key_names import resolve_key

    uid = resolve_key(session, wrapping_key, ())
    wrapping_attribute = VendorAttribute.of_bytes(TAG_VENDOR, "wrapping_key_id", uid.encode())
    return attributes.replace(vendor_attributes=(wrapping_attribute,))


def _say_what_next(uid: str, name: str | None, algorithm: str) -> None:
    kind = ALGORITHMS[algorithm][0]
    if algorithm == "aes":
        say(
            f"A new {kind} key, for you alone. Encrypt a file: kmsctl encrypt FILE --for {name or uid}"
        )
    else:
        say(f"A new {kind} key, for you alone. Share it: kmsctl share {name or uid} USER get")


@click.command("create", epilog="kmsctl create billing")
@click.argument("name", type=NewName())
@click.option("tags", "--tag", "-t", multiple=True, metavar="TAG", help="A tag to find it by.")
@click.pass_obj
def create(session: Session, name: str, tags: tuple[str, ...]) -> None:
    """Make an AES key of 256 bits with this Name. kmsctl sym keys create has all options."""
    uid = session.client.create_symmetric_key("AES", 256, name=name, tags=tags)
    show_value(uid, name="unique_identifier")
    _say_what_next(uid, name, "aes")


# --- key pairs ----------------------------------------------------------------------------------


def make_create_rsa(noun: Noun) -> click.Command:
    @click.command(epilog="kmsctl rsa keys create --size-in-bits 4096 --name signing")
    @click.argument("identifier", required=False, metavar="[PRIVATE_KEY_ID]", type=NewName())
    @click.option(
        "length",
        "--size-in-bits",
        "--size_in_bits",
        "--number-of-bits",
        "-s",
        metavar="BITS",
        type=int,
        default=3072,
        show_default=True,
        help="The length of the modulus.",
    )
    @describing(noun)
    @click.pass_obj
    def create(session: Session, /, identifier: str | None, length: int, **options: Any) -> None:
        """Make a new RSA key pair. The identifier of the public key is then that of the private one with _pk."""
        _create_pair(session, identifier, {"algorithm": "RSA", "length": length}, **options)

    return create


def make_create_ec(noun: Noun) -> click.Command:
    @click.command(epilog="kmsctl ec keys create --curve ed25519 --name signing")
    @click.argument("identifier", required=False, metavar="[PRIVATE_KEY_ID]", type=NewName())
    @click.option(
        "curve",
        "--curve",
        "-c",
        type=click.Choice(list(CURVES), False),
        default="nist-p256",
        show_default=True,
        help="The elliptic curve.",
    )
    @describing(noun)
    @click.pass_obj
    def create(session: Session, /, identifier: str | None, curve: str, **options: Any) -> None:
        """Make a new key pair on a curve. The identifier of the public key is that of the private one with _pk."""
        algorithm, curve_name = CURVES[curve]
        _create_pair(session, identifier, {"algorithm": algorithm, "curve": curve_name}, **options)

    return create


def _create_pair(
    session: Session, identifier: str | None, kind: dict[str, Any], *, name: str | None,
    tags: tuple[str, ...], usages: tuple[str, ...], sensitive: bool,
) -> None:  # fmt: skip
    """Create a pair. Name, usages and Sensitive apply to the private key, tags to both keys."""
    pair = session.client.create_key_pair(
        **kind, name=name, tags=tags, unique_identifier=identifier,
        public_key_identifier=f"{identifier}_pk" if identifier else None,
        private_key_attributes=make_attributes(usages, sensitive=sensitive),
    )  # fmt: skip
    show_pair(session, pair)
    say(f"A new key pair, for you alone. Give away the public key: {pair.public_key}")


def show_pair(session: Session, pair: Any) -> None:
    """Print the identifiers of two keys; in a pipe one on each line, the private key's first."""
    fields = {"private_key": pair.private_key, "public_key": pair.public_key}
    with printing(*fields.values()):
        if session.is_json:
            show_json(fields)
        elif session.is_terminal:
            show_fields(fields)
        else:
            print(pair.private_key, pair.public_key, sep="\n")


# --- secret data --------------------------------------------------------------------------------


_SECRET_OPTIONS = (
    click.option("value", "--value", "-v", metavar="TEXT",
                 help="The secret. Others see it in the list of processes: better --value-file."),
    click.option("value_file", "--value-file", type=click.Path(allow_dash=True), metavar="FILE",
                 help="A file that holds the secret, to the byte; - is stdin."),
    click.option("kind", "--type", type=click.Choice(["password", "seed"]), default="seed",
                 show_default=True, help="A seed without a value is random; a password is asked for."),
)  # fmt: skip


def make_create_secret(noun: Noun) -> click.Command:
    @click.command(epilog="kmsctl secret-data create --type password --name database")
    @click.argument("identifier", required=False, metavar="[SECRET_ID]", type=NewName())
    @with_options(_SECRET_OPTIONS)
    @describing(noun)
    @click.pass_obj
    def create(session: Session, /, identifier: str | None, **options: Any) -> None:
        """Keep a password, or a new random seed. SECRET_ID: its identifier, instead of a random one."""
        uid = _create_secret(session, identifier, **options)
        show_value(uid, name="unique_identifier")
        say(
            f"A {options['kind']}, for you alone. Read it: kmsctl secret-data export {uid} FILE"
            " --key-format raw"
        )

    return create


def _create_secret(
    session: Session, identifier: str | None, *, value: str | None, value_file: str | None, kind: str,
    usages: tuple[str, ...], sensitive: bool, **naming: Any,
) -> str:  # fmt: skip
    """Make a secret locally and import it, since no server makes secret data; its identifier."""
    from ....kmip.enums import SecretDataType
    from ...key_files.kmip_objects import make_secret_data

    octets = _secret_octets(value, value_file, kind)
    return session.client.import_object(
        make_secret_data(octets, SecretDataType[kind.upper()]),
        unique_identifier=identifier, attributes=make_attributes(usages, sensitive=sensitive),
        **naming,
    )  # fmt: skip


def _secret_octets(value: str | None, value_file: str | None, kind: str) -> bytes:
    if value is not None and value_file is not None:
        raise click.UsageError("--value and --value-file both give the secret: give one of them")
    if value is not None:
        warn_of_argument("a secret", "--value-file")
        octets = value.encode()
    elif value_file is not None:
        octets = read_input(value_file)
    elif kind == "seed":
        return os.urandom(SEED_BYTES)
    else:
        octets = ask_new_secret("the password")
    if not octets:
        raise click.UsageError("the secret is empty")
    return octets
