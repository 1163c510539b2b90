"""What there is: `ls` for people, `locate` for programs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import click

from ..output import Cell, say, show_json, show_table, show_value
from ..parameters import KMIPName
from ..session import Session

if TYPE_CHECKING:
    from ....kmip.attributes import Attributes

#: The most objects in an answer to Locate, a limit of the server.
PAGE = 1000

#: The most operations in a batch, a limit of the server.
BATCH = 100

GONE = frozenset({"Destroyed", "Destroyed_Compromised"})


# --- ls -----------------------------------------------------------------------------------------


@click.command("ls")
@click.option("--all", "-a", "shows_all", is_flag=True, help="Destroyed objects, too.")
@click.pass_obj
def list_objects(session: Session, shows_all: bool) -> None:
    """List your objects and those that others share with you.

    Owner is "mine" for your own. Of an object that you may not look at, only the identifier, the state
    and the owner are known.

    \b
    kmsctl ls
    """
    rows = [row for row in _objects(session) if shows_all or row[1] not in GONE]
    if not rows:
        say("There is nothing yet: kmsctl create NAME makes a key.")
    described = _describe(session, [row[0] for row in rows])
    show_table(
        ("unique_identifier", "names", "type", "algorithm", "length", "state", "owner"),
        [
            (identifier, *_summary(described.get(identifier)), state, owner)
            for identifier, state, owner in rows
        ],
    )


def _objects(session: Session) -> Iterator[tuple[str, str, str]]:
    """(identifier, state, owner) of the caller's objects, then of those of others."""
    for own in session.client.list_owned():
        yield own.unique_identifier, own.state, "mine"
    for foreign in session.client.list_obtained():
        yield foreign.unique_identifier, foreign.state, foreign.owner


def _describe(session: Session, identifiers: Sequence[str]) -> dict[str, Attributes]:
    """{identifier: attributes}, without the objects at which the caller may not look."""
    from ....kmip.payloads import AttributeReference, GetAttributesRequest, GetAttributesResponse

    references = tuple(
        AttributeReference(name)
        for name in ("Name", "ObjectType", "CryptographicAlgorithm", "CryptographicLength")
    )
    described = {}
    for start in range(0, len(identifiers), BATCH):
        requests = [
            GetAttributesRequest(identifier, references)
            for identifier in identifiers[start : start + BATCH]
        ]
        for answer in session.client.perform_batch(requests):
            if isinstance(answer, GetAttributesResponse):
                described[answer.unique_identifier] = answer.attributes
    return described


def _summary(attributes: Attributes | None) -> tuple[Cell, Cell, Cell, Cell]:
    """Names, type, algorithm and length of an object; nothing for an unknown one."""
    if attributes is None:
        return (), None, None, None
    return (
        tuple(name.name_value for name in attributes.names),
        _name_of("ObjectType", attributes.object_type),
        _name_of("CryptographicAlgorithm", attributes.cryptographic_algorithm),
        attributes.cryptographic_length,
    )


def _name_of(enumeration: str, value: int | None) -> str | None:
    from ....kmip.tables import ENUMERATIONS

    return None if value is None else ENUMERATIONS[enumeration].oasis[value]


# --- locate -------------------------------------------------------------------------------------


@click.command("locate")
@click.option(
    "--tag",
    "-t",
    "tags",
    metavar="TAG",
    multiple=True,
    help="A tag that the objects have; repeatable, they have all.",
)
@click.option(
    "--algorithm",
    "-a",
    type=KMIPName("CryptographicAlgorithm"),
    metavar="ALGORITHM",
    help="AES, RSA, ECDSA and so on.",
)
@click.option("--cryptographic-length", "-l", type=int, metavar="BITS", help="The length in bits.")
@click.option(
    "--key-format-type",
    "-f",
    type=KMIPName("KeyFormatType"),
    metavar="FORMAT",
    help="Raw, PKCS8 and so on: as the object is stored.",
)
@click.option(
    "--object-type",
    "-o",
    type=KMIPName("ObjectType"),
    metavar="TYPE",
    help="SymmetricKey, PrivateKey, PublicKey, Certificate, SecretData and so on.",
)
@click.option("--public-key-id", "-p", metavar="UID", help="Linked to this public key.")
@click.option("--private-key-id", "-k", metavar="UID", help="Linked to this private key.")
@click.option("--certificate-id", "-c", metavar="UID", help="Linked to this certificate.")
@click.option("--name", "-n", metavar="NAME", help="With this Name.")
@click.option("--state", "-s", type=KMIPName("State"), metavar="STATE", help="In this state.")
@click.pass_obj
def locate(session: Session, /, tags: tuple[str, ...], name: str | None, **criteria: Any) -> None:
    """Print the identifiers of the objects that fit all the options, one a line.

    Without options: of all objects that are yours or shared with you and not destroyed.

    \b
    kmsctl locate --tag finance --algorithm AES
    """  # fmt: skip
    uids = _locate_all(session, _criteria(**criteria), name, tags)
    if session.is_json:
        show_json(uids)
    else:
        for identifier in uids:
            show_value(identifier)


def _criteria(
    *,
    algorithm: Any,
    cryptographic_length: int | None,
    key_format_type: Any,
    object_type: Any,
    public_key_id: str | None,
    private_key_id: str | None,
    certificate_id: str | None,
    state: Any,
) -> Attributes:
    from ....kmip.attributes import Attributes
    from ....kmip.enums import LinkType
    from ....kmip.structures import Link

    links = {
        LinkType.PUBLIC_KEY_LINK: public_key_id,
        LinkType.PRIVATE_KEY_LINK: private_key_id,
        LinkType.CERTIFICATE_LINK: certificate_id,
    }
    fields = {
        "cryptographic_algorithm": algorithm,
        "cryptographic_length": cryptographic_length,
        "key_format_type": key_format_type,
        "object_type": object_type,
        "state": state,
        "links": tuple(Link(kind, uid) for kind, uid in links.items() if uid is not None),
    }
    return Attributes(**{field: value for field, value in fields.items() if value is not None})


def _locate_all(
    session: Session, criteria: Attributes, name: str | None, tags: Sequence[str]
) -> list[str]:
    uids: list[str] = []
    while True:
        page = session.client.locate(
            criteria, name=name, tags=tags, maximum_items=PAGE, offset_items=len(uids)
        )
        uids += page
        if len(page) < PAGE:
            return uids
