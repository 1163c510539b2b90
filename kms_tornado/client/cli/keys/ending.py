"""The verbs that move an object through its life cycle: `activate`, `revoke`, `destroy`."""

from __future__ import annotations

import click

from ....kmip.enums import State
from ..key_names import use_key
from ..output import confirm, say, show_value
from ..session import Session
from .nouns import Noun
from .options import existing, name_of
from .targets import Target, find_target

#: ckms's names of the reasons, which are KMIP's.
REASONS = (
    "unspecified",
    "key-compromise",
    "ca-compromise",
    "affiliation-changed",
    "superseded",
    "cessation-of-operation",
    "privilege-withdrawn",
)
_COMPROMISES = frozenset({"key-compromise", "ca-compromise"})


def make_activate(noun: Noun) -> click.Command:
    @click.command(epilog=f"kmsctl {noun.words} activate billing")
    @existing(noun)
    @click.pass_obj
    def activate(
        session: Session, key: str | None, key_id: str | None, tags: tuple[str, ...]
    ) -> None:
        """Make an object Active that waits for it."""
        uid = use_key(session, name_of(key, key_id), tags, session.client.activate)
        show_value(uid, name="unique_identifier")
        say(f"The {noun.title} is Active.")

    return activate


def make_revoke(noun: Noun) -> click.Command:
    @click.command(epilog=f"kmsctl {noun.words} revoke billing 'replaced by a new one'")
    @click.argument("words", nargs=-1, metavar="[KEY] [REVOCATION_REASON]")
    @existing(noun, positional=False)
    @click.option(
        "code",
        "--reason-code",
        "-r",
        type=click.Choice(REASONS, case_sensitive=False),
        default="unspecified",
        show_default=True,
        help="The reason as a code.",
    )
    @click.pass_obj
    def revoke(
        session: Session,
        words: tuple[str, ...],
        key_id: str | None,
        tags: tuple[str, ...],
        code: str,
    ) -> None:
        """End the use of an object. It encrypts, signs and wraps no more, and still decrypts and verifies.

        After --key-id or --tag, the one argument is the reason in words, as ckms has it.
        """
        key, reason = _split(words, is_named=bool(key_id or tags))
        target = find_target(session, name_of(key, key_id), tags)
        becomes = "Compromised" if code in _COMPROMISES else "Deactivated"
        confirm(
            f"{_capitalise(target)} will be {becomes} for good: nobody encrypts, signs or wraps with it any"
            " more."
        )
        uid = session.client.revoke(target.identifier, code, reason)
        show_value(uid, name="unique_identifier")
        say(f"The {noun.title} is revoked. Wipe it: kmsctl {noun.words} destroy {uid}")

    return revoke


def _split(words: tuple[str, ...], *, is_named: bool) -> tuple[str | None, str | None]:
    """(the key, the reason) of the arguments."""
    if len(words) > 2 - is_named:
        raise click.UsageError("there are too many arguments: put the reason in quotes")
    padded = (*words, None, None)
    return (None, padded[0]) if is_named else (padded[0], padded[1])


def make_destroy(noun: Noun) -> click.Command:
    @click.command(epilog=f"kmsctl {noun.words} destroy billing --revoke-first")
    @existing(noun)
    @click.option(
        "removes",
        "--remove",
        is_flag=True,
        help="Forget the object as well: its attributes, its rights, its history.",
    )
    @click.option(
        "revokes", "--revoke-first", is_flag=True, help="Revoke it before, if it is Active."
    )
    @click.pass_obj
    def destroy(
        session: Session,
        key: str | None,
        key_id: str | None,
        tags: tuple[str, ...],
        removes: bool,
        revokes: bool,
    ) -> None:
        """Wipe an object. What only it could decrypt is lost."""
        target = find_target(session, name_of(key, key_id), tags)
        if target.state is State.ACTIVE and not revokes:
            raise click.ClickException(
                f"{target.text} is revoked before it is destroyed: run kmsctl {noun.words} revoke"
                f" {target.identifier}, or add --revoke-first"
            )
        rest = "and everything that is known of it forgotten" if removes else "its attributes stay"
        confirm(
            f"{_capitalise(target)} will be wiped for good, {rest}: what only it could decrypt is lost."
        )
        if target.state is State.ACTIVE:
            session.client.revoke(target.identifier, "unspecified", "destroyed")
        uid = session.client.destroy(target.identifier, removes)
        show_value(uid, name="unique_identifier")
        say(f"The {noun.title} is destroyed.")

    return destroy


def _capitalise(target: Target) -> str:
    return target.text[0].upper() + target.text[1:]
