"""The flags by which ckms names an object and states its attributes, and NAME=VALUE for people."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from ..parameters import HexBytes

if TYPE_CHECKING:
    from ....kmip.attribute_instance import AttributeInstance
    from ....kmip.payloads import AttributeReference


def id_options(command: Callable[..., None]) -> Callable[..., None]:
    """The flags by which ckms names the object."""
    tag = click.option(
        "--tag",
        "-t",
        "tags",
        metavar="TAG",
        multiple=True,
        help="The object that has this tag; repeatable, it has all.",
    )
    identifier = click.option(
        "--id",
        "-i",
        "identifier",
        metavar="UID",
        help="The object, where KEY is not given as an argument.",
    )
    return identifier(tag(command))  # fmt: skip


class _Link(str):
    """A type of link: the option's value names the object to which it leads."""


#: ckms's flags: parameter → the attribute that it stands for, or the link.
_FLAGS: Mapping[str, str] = {
    "activation_date": "ActivationDate",
    "cryptographic_algorithm": "CryptographicAlgorithm",
    "cryptographic_length": "CryptographicLength",
    "name": "Name",
    "sensitive": "Sensitive",
    "public_key_id": _Link("PublicKeyLink"),
    "private_key_id": _Link("PrivateKeyLink"),
    "certificate_id": _Link("CertificateLink"),
    "p12_id": _Link("PKCS12CertificateLink"),
    "p12_pwd": _Link("PKCS12PasswordLink"),
    "parent_id": _Link("ParentLink"),
    "child_id": _Link("ChildLink"),
}


def value_options(command: Callable[..., None]) -> Callable[..., None]:
    """The flags by which ckms states values."""
    options = [
        click.option("--activation-date", "-d", metavar="DATE", help="A date, or seconds since 1970."),
        click.option("--cryptographic-algorithm", "-a", metavar="ALGORITHM", help="AES and so on."),
        click.option("--cryptographic-length", metavar="BITS", help="The length in bits."),
        click.option("--key-usage", "-u", metavar="USE", multiple=True,
                     help="Encrypt, decrypt, sign and so on; repeatable."),
        click.option("--public-key-id", metavar="UID", help="A link to the public key."),
        click.option("--private-key-id", metavar="UID", help="A link to the private key."),
        click.option("--certificate-id", metavar="UID", help="A link to the certificate."),
        click.option("--p12-id", metavar="UID", help="A link to the PKCS#12 certificate."),
        click.option("--p12-pwd", metavar="UID", help="A link to the password of the PKCS#12 file."),
        click.option("--parent-id", metavar="UID", help="A link to the parent."),
        click.option("--child-id", metavar="UID", help="A link to the child."),
        click.option("--name", metavar="NAME", help="The Name."),
        click.option("--sensitive", metavar="BOOLEAN", help="Whether it leaves only wrapped."),
        click.option("--vendor-identification", "-v", metavar="VENDOR", help="Of a vendor attribute."),
        click.option("--attribute-name", "-n", metavar="NAME", help="Of a vendor attribute."),
        click.option("--attribute-value", metavar="HEX", type=HexBytes(), help="Of a vendor attribute."),
    ]  # fmt: skip
    for option in reversed(options):
        command = option(command)
    return command


def name_object(key: str | None, identifier: str | None) -> str | None:
    if key is not None and identifier is not None:
        raise click.UsageError("the object is named twice: by an argument and by --id")
    return key if key is not None else identifier


def split_words(
    words: Sequence[str], flags: dict[str, Any]
) -> tuple[str | None, tuple[str, ...], Sequence[str]]:
    """(the object, its tags, the attributes); takes --id and --tag out of the flags."""
    identifier, tags = flags.pop("identifier"), flags.pop("tags")
    if identifier is not None or tags:
        return identifier, tags, words
    if not words:
        return None, (), ()
    return words[0], (), words[1:]


def attributes_from_flags(flags: Mapping[str, Any]) -> list[AttributeInstance]:
    """The attributes for which ckms's flags stand."""
    texts = []
    for flag, name in _FLAGS.items():
        value = flags[flag]
        if value is not None:
            texts.append(f"Link={name}:{value}" if isinstance(name, _Link) else f"{name}={value}")
    if flags["key_usage"]:
        texts.append(f"CryptographicUsageMask={','.join(flags['key_usage'])}")
    parsed = [read_attribute(text) for text in texts]
    vendor = [flags[name] for name in ("vendor_identification", "attribute_name")]
    if any(value is not None for value in [*vendor, flags["attribute_value"]]):
        parsed.append(_vendor_attribute(vendor[0], vendor[1], flags["attribute_value"]))
    return parsed


def _vendor_attribute(
    vendor: str | None, name: str | None, value: bytes | None
) -> AttributeInstance:
    from ....kmip.attribute_instance import AttributeInstance
    from ....kmip.structures import VendorAttribute

    if vendor is None or name is None:
        raise click.UsageError("--vendor-identification and --attribute-name belong together")
    return AttributeInstance(
        "vendor_attributes", VendorAttribute.of_bytes(vendor, name, value or b"")
    )


def read_attribute(text: str) -> AttributeInstance:
    """NAME=VALUE as an attribute."""
    from .attribute_values import InvalidAttributeText, parse_attribute

    try:
        return parse_attribute(text)
    except InvalidAttributeText as exc:
        raise click.UsageError(str(exc)) from None


def read_reference(name: str) -> AttributeReference:
    """NAME as a reference to an attribute."""
    from .attribute_values import InvalidAttributeText, parse_reference

    try:
        return parse_reference(name)
    except InvalidAttributeText as exc:
        raise click.UsageError(str(exc)) from None
