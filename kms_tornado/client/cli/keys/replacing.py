"""The verb `rekey`: replaces an old key or pair with a new one."""

from __future__ import annotations

import click

from ..output import confirm, say, show_value
from ..session import Session
from .creating import show_pair
from .nouns import SYMMETRIC, Noun
from .options import existing, name_of
from .targets import find_target


def make_rekey(noun: Noun) -> click.Command:
    what = "key" if noun is SYMMETRIC else "private key"

    @click.command(epilog=f"kmsctl {noun.words} rekey billing")
    @existing(noun)
    @click.pass_obj
    def rekey(session: Session, key: str | None, key_id: str | None, tags: tuple[str, ...]) -> None:
        target = find_target(session, name_of(key, key_id), tags)
        confirm(
            f"A new key takes the place of {target.text}, and its Name: the old one stays, and still"
            " decrypts."
        )
        if noun is SYMMETRIC:
            uid = session.client.rekey(target.identifier)
            show_value(uid, name="unique_identifier")
        else:
            show_pair(session, session.client.rekey_key_pair(target.identifier))
        say("The new key is for you alone: grants on the old one do not go over to it.")

    rekey.help = (
        f"Put a new key in the place of an old one, and print its identifier. KEY: the {what}.\n\n"
        "The new one has the algorithm and the length of the old one and takes over its Name. The old"
        " one still decrypts."
    )
    return rekey
