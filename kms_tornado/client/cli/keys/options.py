"""Options that several verbs share, and what they mean."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import click

from ..parameters import NewName
from .nouns import Noun

if TYPE_CHECKING:
    from ....kmip.attributes import Attributes

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]

#: What a key may be allowed to do, in ckms's words, by KMIP's.
USAGES = {
    "sign": "SIGN",
    "verify": "VERIFY",
    "encrypt": "ENCRYPT",
    "decrypt": "DECRYPT",
    "wrap-key": "WRAP_KEY",
    "unwrap-key": "UNWRAP_KEY",
    "mac-generate": "MAC_GENERATE",
    "mac-verify": "MAC_VERIFY",
    "derive-key": "DERIVE_KEY",
    "key-agreement": "KEY_AGREEMENT",
    "certificate-sign": "CERTIFICATE_SIGN",
    "crl-sign": "CRL_SIGN",
    "authenticate": "AUTHENTICATE",
    "unrestricted": "UNRESTRICTED",
}


def with_options(options: Sequence[Decorator]) -> Decorator:
    """All of these options, in the order in which --help lists them."""

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        for option in reversed(options):
            function = option(function)
        return function

    return decorate


def existing(noun: Noun, *, positional: bool = True) -> Decorator:
    """The parameters that name an object: key, key_id, tags. `name_of` decides between the first two."""

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        tags = click.option(
            "tags", "--tag", "-t", multiple=True, metavar="TAG",
            help=f"A tag of the {noun.title}, in place of its identifier. Several: it has all of them.",
        )  # fmt: skip
        key_id = click.option(
            "key_id", *noun.id_flags, metavar="KEY",
            help=f"The {noun.title}, by its identifier or Name."
        )  # fmt: skip
        function = key_id(tags(function))
        return click.argument("key", required=False)(function) if positional else function

    return decorate


def name_of(key: str | None, key_id: str | None) -> str | None:
    """The identifier or Name that was given. Raises click.UsageError where there are two."""
    if key is not None and key_id is not None:
        raise click.UsageError("the object is named twice: as an argument and by an option")
    return key if key is not None else key_id


def describing(noun: Noun) -> Decorator:
    """The parameters that describe a new object: tags, name, usages, sensitive."""

    return with_options(
        [
            click.option("tags", "--tag", "-t", multiple=True, metavar="TAG", type=NewName(),
                         help="A tag to find it by; several times for several tags."),
            click.option("name", "--name", metavar="NAME", type=NewName(),
                         help="A Name, by which people call it."),
            click.option("usages", "--key-usage", multiple=True, type=click.Choice(list(USAGES)),
                         help="What it may be used for; several times for several uses."),
            click.option("sensitive", "--sensitive", is_flag=True,
                         help=f"The {noun.title} leaves the server wrapped or not at all."),
        ]
    )  # fmt: skip


def make_attributes(usages: Sequence[str] = (), *, sensitive: bool = False) -> Attributes:
    """The attributes for which the options ask."""
    from ....kmip.attributes import Attributes
    from ....kmip.enums import CryptographicUsageMask

    mask = CryptographicUsageMask(0)
    for usage in usages:
        mask |= CryptographicUsageMask[USAGES[usage]]
    return Attributes(cryptographic_usage_mask=int(mask) or None, sensitive=sensitive or None)
