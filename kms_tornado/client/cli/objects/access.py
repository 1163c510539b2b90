"""Who may do what with an object: `share`, `unshare`, `access-rights`."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import click

from ..key_names import resolve_key, use_named
from ..output import Cell, printing, show_json, show_table, show_value
from ..root import Group
from ..session import Session
from ..terminal_text import make_visible

EVERYONE = "*"
GROUP_PREFIX = "group:"


# --- for people ---------------------------------------------------------------------------------


def _tag_option(command: Callable[..., None]) -> Callable[..., None]:
    return click.option(
        "--tag", "-t", "tags", metavar="TAG", multiple=True,
        help="The key that has this tag, in place of KEY; repeatable, it has all.",
    )(command)  # fmt: skip


@click.command("share")
@click.argument("words", metavar="[KEY] USER OPERATION...", nargs=-1, required=True)
@_tag_option
@click.pass_obj
def share(session: Session, words: tuple[str, ...], tags: tuple[str, ...]) -> None:
    """Let USER use your KEY, and print what USER may do with it now.

    KEY is an identifier or a Name. USER is the name in the other's token, or group:NAME for all whose
    tokens name that group; * stands for everybody whom the server lets in. OPERATION is decrypt,
    encrypt, get, sign and so on; get includes what whoever holds the key can do anyway.

    \b
    kmsctl share invoices bob@example.com decrypt
    kmsctl share invoices group:billing decrypt
    """
    key, rest = _take_key(session, words, tags, others=2)
    _change_grant(session, key, rest[0], rest[1:], is_given=True)


@click.command("unshare")
@click.argument("words", metavar="[KEY] USER [OPERATION]...", nargs=-1, required=True)
@_tag_option
@click.pass_obj
def unshare(session: Session, words: tuple[str, ...], tags: tuple[str, ...]) -> None:
    """Take rights on your KEY from USER, all of them where no OPERATION is named.

    Prints what USER may still do. What USER fetched before stays where it is: a key that somebody had
    with get is better replaced.

    \b
    kmsctl unshare invoices bob@example.com
    """
    key, rest = _take_key(session, words, tags, others=1)
    _change_grant(session, key, rest[0], rest[1:], is_given=False)


def _take_key(
    session: Session, words: tuple[str, ...], tags: tuple[str, ...], *, others: int
) -> tuple[str, tuple[str, ...]]:
    """(the key, the words after it). others: how many words there must be.

    Rights are granted on one object and never on tags, which may mean another one tomorrow; so the key is looked up
    first.
    """
    if len(words) < others + (not tags):
        missing = ["KEY", "USER", "OPERATION"][(1 if tags else 0) + len(words)]
        raise click.UsageError(f"{missing} is missing")
    if tags:
        return resolve_key(session, None, tags), words
    return words[0], words[1:]


def _change_grant(
    session: Session, key: str, user: str, operations: Sequence[str], *, is_given: bool
) -> None:
    """Grant or withdraw, and print what is granted afterwards. operations: () withdraws all."""
    if not user:
        raise click.UsageError("the user is empty: is a variable of the shell not set?")

    def change(identifier: str) -> str:
        if is_given:
            session.client.grant(identifier, user, operations)
        else:
            held = operations or _list_granted(session, identifier, user)
            if held:
                session.client.withdraw(identifier, user, held)
        return identifier

    identifier = use_named(session, key, change)
    with printing(identifier):
        _show_granted(session, identifier, user, _list_granted(session, identifier, user))


def _list_granted(session: Session, identifier: str, user: str) -> tuple[str, ...]:
    """The operations that were granted to the user by name."""
    for granted in session.client.list_grants(identifier):
        if granted.user == user:
            return tuple(granted.operations)
    return ()


def _show_granted(
    session: Session, identifier: str, user: str, operations: tuple[str, ...]
) -> None:
    if session.is_json:
        show_json({"unique_identifier": identifier, "user": user, "operations": list(operations)})
    elif not session.is_terminal:
        for operation in operations:
            show_value(operation)
    else:
        who = _describe_grantee(user)
        may = f"may {', '.join(operations)}" if operations else "may do nothing"
        click.echo(make_visible(f"{who} {may} with {identifier}"))


def _describe_grantee(user: str) -> str:
    if user.startswith(GROUP_PREFIX):
        return f"everybody in the group {user.removeprefix(GROUP_PREFIX)}"
    return "everybody" if user == EVERYONE else user


# --- as ckms has it -----------------------------------------------------------------------------


@click.group("access-rights", cls=Group)
def access_rights() -> None:
    """Grant, withdraw and list access rights, with ckms's order of arguments.

    share, unshare and ls do the same with fewer words.
    """


@access_rights.command("grant")
@click.argument("user", metavar="USER")
@click.argument("words", metavar="[OBJECT_UID] OPERATION...", nargs=-1, required=True)
@click.option("--object-uid", "-i", metavar="UID", help="The object, where it is not an argument.")
@click.pass_obj
def grant(session: Session, user: str, words: tuple[str, ...], object_uid: str | None) -> None:
    """Let USER, or the members of group:NAME, do OPERATIONs with an object of yours.

    \b
    kmsctl access-rights grant bob@example.com invoices decrypt encrypt
    """
    key, operations = _split_words(words, object_uid)
    _change_grant(session, key, user, operations, is_given=True)


@access_rights.command("revoke")
@click.argument("user", metavar="USER")
@click.argument("words", metavar="[OBJECT_UID] OPERATION...", nargs=-1, required=True)
@click.option("--object-uid", "-i", metavar="UID", help="The object, where it is not an argument.")
@click.pass_obj
def revoke(session: Session, user: str, words: tuple[str, ...], object_uid: str | None) -> None:
    """Take the rights to OPERATIONs on an object of yours from USER.

    \b
    kmsctl access-rights revoke bob@example.com invoices decrypt
    """
    key, operations = _split_words(words, object_uid)
    _change_grant(session, key, user, operations, is_given=False)


def _split_words(words: tuple[str, ...], object_uid: str | None) -> tuple[str, tuple[str, ...]]:
    """(the object, the operations). ckms 4 has the object among the arguments, ckms 5 as an option."""
    if object_uid is not None:
        return object_uid, words
    if len(words) < 2:
        raise click.UsageError(
            "the object or the operations are missing: USER OBJECT_UID OPERATION..."
        )
    return words[0], words[1:]


@access_rights.command("list")
@click.argument("key", metavar="OBJECT_UID")
@click.pass_obj
def list_grants(session: Session, key: str) -> None:
    """List who else may do what with an object of yours.

    \b
    kmsctl access-rights list invoices
    """
    granted = use_named(session, key, session.client.list_grants)
    show_table(("user", "operations"), [(grant.user, grant.operations) for grant in granted])


@access_rights.command("owned")
@click.pass_obj
def owned(session: Session) -> None:
    """List the objects that are yours, and how often and when last each was used, as the audit tells.

    \b
    kmsctl access-rights owned
    """
    rows: list[tuple[Cell, ...]] = [
        (
            item.unique_identifier,
            item.state,
            item.attributes.get("ObjectType"),
            item.attributes.get("CryptographicAlgorithm"),
            item.attributes.get("CryptographicLength"),
            item.is_wrapped,
            item.uses,
            item.last_used,
        )
        for item in session.client.list_owned()
    ]
    columns = (
        "unique_identifier", "state", "type", "algorithm", "length", "is_wrapped", "uses", "last_used",
    )  # fmt: skip
    show_table(columns, rows)


@access_rights.command("obtained")
@click.pass_obj
def obtained(session: Session) -> None:
    """List the objects of others that you may use.

    \b
    kmsctl access-rights obtained
    """
    rows: list[tuple[Cell, ...]] = [
        (
            item.unique_identifier,
            item.owner,
            item.state,
            item.operations,
            item.granted_to,
            item.is_wrapped,
        )
        for item in session.client.list_obtained()
    ]
    columns = ("unique_identifier", "owner", "state", "operations", "granted_to", "is_wrapped")
    show_table(columns, rows)
