"""What the verbs that import objects share: reading a file that may be encrypted, the request, and the output."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import click

from ....kmip.enums import KeyWrapType, LinkType
from ....kmip.objects import Object
from ....kmip.structures import Link
from ...key_files.errors import PasswordRequired
from ...key_files.kmip_objects import is_wrapped, summarise_object
from ...key_files.reading import ReadingOptions, read_key_file
from ..output import printing, say, show_json, show_table, show_value
from ..session import Session
from .passwords import ask_password

if TYPE_CHECKING:
    from ....kmip.attributes import Attributes

#: Options of every file that is brought.
FILE_OPTIONS = (
    click.option("replaces", "--replace", "--replace-existing", "-r", is_flag=True,
                 help="Replace the object that has this identifier."),
    click.option("password_file", "--password-file", metavar="FILE", type=click.Path(),
                 help="Where the password of an encrypted file stands; else it is asked for."),
)  # fmt: skip


def read_asking(
    octets: bytes, options: ReadingOptions, file_format: str | None, *, from_stdin: bool
) -> tuple[Object, ...]:
    """The objects in the file. If a password is needed and was not given, the person is asked for it."""
    try:
        return read_key_file(octets, options, file_format)
    except PasswordRequired as exc:
        if from_stdin:
            raise click.UsageError(f"{exc}: give its password with --password-file") from None
        password = ask_password(str(exc))
    return read_key_file(octets, dataclasses.replace(options, password=password), file_format)


def make_links(
    public_key: str | None, private_key: str | None, certificate: str | None
) -> tuple[Link, ...]:
    return tuple(
        Link(link_type, uid)
        for link_type, uid in (
            (LinkType.PUBLIC_KEY_LINK, public_key),
            (LinkType.PRIVATE_KEY_LINK, private_key),
            (LinkType.CERTIFICATE_LINK, certificate),
        )
        if uid
    )


def import_one(
    session: Session, managed: Object, attributes: Attributes, *, identifier: str | None = None,
    replaces: bool = False, name: str | None = None, tags: tuple[str, ...] = (), unwraps: bool = False,
) -> str:  # fmt: skip
    """Import one object, and return its identifier."""
    wrap_type = KeyWrapType.NOT_WRAPPED if unwraps else KeyWrapType.AS_REGISTERED
    uid: str = session.client.import_object(
        managed, unique_identifier=identifier, replace_existing=replaces, name=name, tags=tags,
        key_wrap_type=wrap_type if is_wrapped(managed) else None, attributes=attributes,
    )  # fmt: skip
    return uid


def show_imported(session: Session, imported: list[tuple[str, Object]]) -> None:
    """Print the identifiers, one on each line; with a description in JSON, and on a terminal if there are several."""
    rows = [(uid, summarise_object(managed).text) for uid, managed in imported]
    with printing(*(uid for uid, _ in rows)):
        if session.is_json:
            show_json([{"unique_identifier": uid, "object": text} for uid, text in rows])
        elif session.is_terminal and len(rows) > 1:
            show_table(("unique_identifier", "object"), rows)
        else:
            for uid, _ in rows:
                show_value(uid)
    if len(rows) == 1:
        wrapped = ", wrapped as it came" if is_wrapped(imported[0][1]) else ""
        say(f"Imported {rows[0][1]}{wrapped}, for you alone.")
