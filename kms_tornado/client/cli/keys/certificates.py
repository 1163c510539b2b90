"""The verb `import` of certificates: one, a chain, or a PKCS#12 file with its private key."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import click
from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from ....errors import KMSError
from ....kmip.enums import LinkType
from ....kmip.objects import Certificate, Object, PrivateKey
from ....kmip.structures import Link
from ...key_files.errors import KeyFileError
from ...key_files.kmip_objects import load_asymmetric_key, summarise_object
from ...key_files.reading import ReadingOptions
from ..parameters import NewName
from ..session import Session
from .bringing import FILE_OPTIONS, import_one, make_links, read_asking, show_imported
from .nouns import Noun
from .options import describing, make_attributes, with_options
from .passwords import read_password
from .saving import STREAM, read_input

_FORMATS = ("json-ttlv", "pem", "der", "chain", "pkcs12")


_OPTIONS = (
    click.option("file_format", "--format", "--input-format", "-f", type=click.Choice(_FORMATS),
                 help="The format of the file, where it is not to be detected."),
    click.option("--private-key-id", "-k", metavar="ID", help="The private key of the certificate."),
    click.option("--public-key-id", "-q", metavar="ID", help="The public key of the certificate."),
    click.option("--issuer-certificate-id", "-i", metavar="ID", help="The certificate of its issuer."),
    click.option("password", "--pkcs12-password", "-p", metavar="TEXT",
                 help="Others see it in the list of processes: better --password-file."),
)  # fmt: skip


def make_import(noun: Noun) -> click.Command:
    @click.command(epilog="kmsctl certificates import server.p12 --password-file FILE")
    @click.argument("file", metavar="CERTIFICATE_FILE")
    @click.argument("identifier", required=False, metavar="[CERTIFICATE_ID]", type=NewName())
    @with_options([*_OPTIONS, *FILE_OPTIONS])
    @describing(noun)
    @click.pass_obj
    def import_(session: Session, /, **options: Any) -> None:
        """Bring certificates from a file, and the private key where it has one. - is stdin.

        CERTIFICATE_ID is the identifier of the private key where there is one, else of the certificate that
        issued none of the others. All are linked to one another.
        """
        _import_file(session, _Options(**options))

    return import_


@dataclass(frozen=True, slots=True, kw_only=True)
class _Options:
    """The values of the command's options, by the names that they have above."""

    file: str
    identifier: str | None
    file_format: str | None
    password: str | None
    password_file: str | None
    private_key_id: str | None
    public_key_id: str | None
    issuer_certificate_id: str | None
    replaces: bool
    usages: tuple[str, ...]
    sensitive: bool
    name: str | None
    tags: tuple[str, ...]


def _import_file(session: Session, options: _Options) -> None:
    parts = _arrange(_read_objects(options), options.identifier)
    stated_links = make_links(
        options.public_key_id, options.private_key_id, options.issuer_certificate_id
    )
    if stated_links and len(parts) > 1:
        raise click.UsageError(
            f"{options.file} holds {len(parts)} objects, which are linked to one another"
        )
    # What describes the first, the private key or the certificate of one's own, is not for the others.
    name: str | None = options.name
    attributes = make_attributes(options.usages, sensitive=options.sensitive)
    imported: list[tuple[str, Object]] = []
    for part in parts:
        try:
            uid = import_one(
                session,
                part.managed,
                attributes.replace(links=(*part.links, *stated_links)),
                identifier=part.identifier,
                replaces=options.replaces,
                name=name,
                tags=options.tags,
            )
        except KMSError as exc:
            raise _incomplete_error(exc, imported) from exc
        imported.append((uid, part.managed))
        name, attributes = None, make_attributes()
    show_imported(session, imported)


def _read_objects(options: _Options) -> tuple[Object, ...]:
    reading = ReadingOptions(password=read_password(options.password_file, options.password))
    octets = read_input(options.file)
    return read_asking(octets, reading, options.file_format, from_stdin=options.file == STREAM)


def _incomplete_error(error: KMSError, imported: Sequence[tuple[str, Object]]) -> Exception:
    """The error, together with what was imported before it."""
    if not imported:
        return error
    done = ", ".join(uid for uid, _ in imported)
    return click.ClickException(f"{error}: imported before that, and kept: {done}")


@dataclass(frozen=True, slots=True)
class _Part:
    """One object of the file. identifier: None where the client may choose it, because nothing links to the object."""

    managed: Object
    identifier: str | None
    links: tuple[Link, ...] = ()


def _arrange(objects: Sequence[Object], identifier: str | None) -> list[_Part]:
    """The private key, its certificate, then the chain, each with its links to the others.

    Raises KeyFileError for anything that is not a certificate, and for a private key that belongs to none of them.
    """
    key, certificates = _split(objects)
    if len(objects) == 1:
        return [_Part(certificates[0], identifier)]
    loaded = [_load(one) for one in certificates]
    leaf = _find_leaf(certificates, loaded, key)
    uids = [str(uuid.uuid4()) for _ in loaded]
    links: list[list[Link]] = [[] for _ in loaded]
    parts = []
    if key is not None:
        key_uid = identifier or str(uuid.uuid4())
        parts.append(_Part(key, key_uid, (Link(LinkType.PKCS12_CERTIFICATE_LINK, uids[leaf]),)))
        links[leaf].append(Link(LinkType.PRIVATE_KEY_LINK, key_uid))
    elif identifier:
        uids[leaf] = identifier
    for index in sorted(range(len(loaded)), key=lambda index: index != leaf):
        issuer = _find_issuer(loaded, index)
        if issuer is not None:
            links[index].append(Link(LinkType.CERTIFICATE_LINK, uids[issuer]))
        parts.append(_Part(certificates[index], uids[index], tuple(links[index])))
    return parts


def _split(objects: Sequence[Object]) -> tuple[PrivateKey | None, list[Certificate]]:
    """(the private key, if there is one; the certificates). Raises KeyFileError for anything else."""
    certificates = [one for one in objects if isinstance(one, Certificate)]
    keys = [one for one in objects if isinstance(one, PrivateKey)]
    others = [one for one in objects if not isinstance(one, Certificate | PrivateKey)]
    if others or not certificates or len(keys) > 1:
        text = summarise_object((others or keys)[0]).text
        raise KeyFileError(
            f"the file holds {text}: certificates come alone, or with one private key"
        )
    return (keys[0] if keys else None), certificates


def _load(certificate: Certificate) -> x509.Certificate | None:
    """The certificate; None for one that `cryptography` cannot read. It is imported, but its issuer is not known."""
    try:
        return x509.load_der_x509_certificate(certificate.certificate_value)
    except (ValueError, TypeError, UnsupportedAlgorithm, x509.InvalidVersion):
        return None


def _find_leaf(
    certificates: Sequence[Certificate],
    loaded: Sequence[x509.Certificate | None],
    key: PrivateKey | None,
) -> int:
    """The index of the key's certificate; without a key, of the first one that issued none of the others."""
    if key is not None:
        native = load_asymmetric_key(key)
        public = native.public_key() if hasattr(native, "public_key") else native
        public_octets = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        for index, one in enumerate(certificates):
            if public_octets in one.certificate_value:
                return index
        raise KeyFileError("the private key belongs to none of the certificates in the file")
    issuers = {_find_issuer(loaded, index) for index in range(len(loaded))}
    return next((index for index in range(len(loaded)) if index not in issuers), 0)


def _find_issuer(certificates: Sequence[x509.Certificate | None], index: int) -> int | None:
    """The index of the certificate that signed this one; None for a root, and where it is not in the file."""
    issued = certificates[index]
    if issued is None:
        return None
    for candidate, other in enumerate(certificates):
        if candidate == index or other is None:
            continue
        try:
            issued.verify_directly_issued_by(other)
        except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
            continue
        return candidate
    return None
