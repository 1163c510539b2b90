"""The verb `import` of keys and secrets: a file becomes one object, or several if a JWK set has several."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import click

from ....kmip.enums import (
    CryptographicAlgorithm,
    EncodingOption,
    KeyFormatType,
    ObjectType,
    SecretDataType,
    WrappingMethod,
)
from ....kmip.key_material import KeyMaterialField
from ....kmip.objects import (
    Certificate,
    EncryptionKeyInformation,
    KeyBlock,
    KeyValue,
    KeyWrappingData,
    Object,
    PrivateKey,
    SecretData,
    SymmetricKey,
)
from ...key_files.errors import KeyFileError
from ...key_files.kmip_objects import is_wrapped, summarise_object
from ...key_files.reading import FORMATS, ReadingOptions
from ..key_names import resolve_key
from ..parameters import NewName
from ..session import Session
from .algorithms import ALGORITHMS, find_algorithm
from .bringing import (
    FILE_OPTIONS,
    import_one,
    make_links,
    read_asking,
    show_imported,
)
from .nouns import CERTIFICATE, EC, RSA, SECRET, SYMMETRIC, Noun
from .options import Decorator, describing, make_attributes, with_options
from .passwords import read_password
from .saving import STREAM, read_input
from .wrapping import WRAPPING_ALGORITHMS, wrapping_parameters

_RAW_TYPES = {SYMMETRIC: ObjectType.SYMMETRIC_KEY, SECRET: ObjectType.SECRET_DATA}

#: What cannot be in the file of a key.
_FORMATS = [name for name in FORMATS if name not in {"chain", "pkcs12"}]


_OPTIONS = (
    click.option("file_format", "--key-format", "-f", type=click.Choice(_FORMATS),
                 help="The format of the file, where it is not to be detected."),
    click.option("--public-key-id", "-p", metavar="ID", help="Its public key, for a private key."),
    click.option("--private-key-id", "-k", metavar="ID", help="Its private key, for a public key."),
    click.option("--certificate-id", "-c", metavar="ID", help="The certificate of the key."),
    click.option("unwraps", "--unwrap", "-u", is_flag=True,
                 help="Have the server unwrap a wrapped key before it stores it."),
    click.option("unwrapping_key", "--unwrapping-key-id", metavar="KEY",
                 help="The file is a key wrapped by this one, which unwraps it."),
    click.option("wrapping_algorithm", "--wrapping-algorithm", "-m",
                 type=click.Choice(list(WRAPPING_ALGORITHMS)),
                 help="How it is wrapped, with --unwrapping-key-id."),
)  # fmt: skip


def make_import(noun: Noun) -> click.Command:
    @click.command(epilog=f"kmsctl {noun.words} import FILE --name billing")
    @click.argument("file", metavar="KEY_FILE")
    @click.argument("identifier", required=False, metavar="[KEY_ID]", type=NewName())
    @with_options([*_OPTIONS, *FILE_OPTIONS, *_list_own_options(noun)])
    @describing(noun)
    @click.pass_obj
    def import_(session: Session, /, **options: Any) -> None:
        """Bring a key from a file. KEY_ID: its identifier, instead of a random one. KEY_FILE: - is stdin.

        Read and told apart are PEM, DER, OpenSSH, JWK, JSON TTLV, base64, and raw octets.
        """
        _import_file(session, noun, _Options(**options))

    return import_


def _list_own_options(noun: Noun) -> Sequence[Decorator]:
    """Options that only one noun has."""
    algorithm = click.option(
        "algorithm", "--algorithm", "-a", type=click.Choice(list(ALGORITHMS), False),
        help="What the key is for; AES, unless the file says it.",
    )  # fmt: skip
    kind = click.option(
        "secret_kind", "--type", type=click.Choice(["PASSWORD", "SEED"], case_sensitive=False),
        default="PASSWORD", show_default=True, help="What the secret is.",
    )  # fmt: skip
    return {SYMMETRIC: [algorithm], SECRET: [kind]}.get(noun, [])


@dataclass(frozen=True, slots=True, kw_only=True)
class _Options:
    """The values of the command's options, by the names that they have above."""

    file: str
    identifier: str | None
    file_format: str | None
    password_file: str | None
    unwraps: bool
    unwrapping_key: str | None
    wrapping_algorithm: str | None
    replaces: bool
    usages: tuple[str, ...]
    sensitive: bool
    name: str | None
    tags: tuple[str, ...]
    public_key_id: str | None
    private_key_id: str | None
    certificate_id: str | None
    algorithm: str | None = None
    secret_kind: str | None = None


def _import_file(session: Session, noun: Noun, options: _Options) -> None:
    objects = _read_objects(session, noun, options)
    for managed in objects:
        _check_belongs(managed, noun)
    if len(objects) > 1 and (options.identifier or options.name):
        raise click.UsageError(
            f"{options.file} holds {len(objects)} keys: an identifier or a Name is for one"
        )
    links = make_links(options.public_key_id, options.private_key_id, options.certificate_id)
    attributes = make_attributes(options.usages, sensitive=options.sensitive).replace(links=links)
    imported = [
        (
            import_one(
                session,
                managed,
                attributes,
                identifier=options.identifier,
                replaces=options.replaces,
                name=options.name,
                tags=options.tags,
                unwraps=options.unwraps or options.unwrapping_key is not None,
            ),
            managed,
        )
        for managed in objects
    ]
    show_imported(session, imported)


# --- the file -----------------------------------------------------------------------------------


def _read_objects(session: Session, noun: Noun, options: _Options) -> tuple[Object, ...]:
    reading = ReadingOptions(
        raw_type=_RAW_TYPES.get(noun),
        algorithm=find_algorithm(options.algorithm) if options.algorithm else None,
        secret_type=SecretDataType[options.secret_kind or SecretDataType.PASSWORD.name],
        password=read_password(options.password_file),
    )
    octets = read_input(options.file)
    if options.unwrapping_key is not None:
        wrapped_by = resolve_key(session, options.unwrapping_key, ())
        return (
            _make_wrapped_object(noun, octets, wrapped_by, options.wrapping_algorithm, reading),
        )
    if options.wrapping_algorithm is not None:
        raise click.UsageError("--wrapping-algorithm goes with --unwrapping-key-id")
    from_stdin = options.file == STREAM
    return read_asking(octets, reading, options.file_format, from_stdin=from_stdin)


def _check_belongs(managed: Object, noun: Noun) -> None:
    """Refuse an object that another noun is for. A wrapped key may not say what it is; it is then accepted."""
    object_class = {SYMMETRIC: SymmetricKey, SECRET: SecretData}.get(noun)
    if object_class is not None:
        fits = isinstance(managed, object_class)
    else:
        family = summarise_object(managed).family
        fits = family == noun.family or (is_wrapped(managed) and not family)
        fits = fits and not isinstance(managed, Certificate | SymmetricKey | SecretData)
    if not fits:
        right = _noun_of(managed)
        advice = f": kmsctl {right.words} import brings it" if right else ""
        raise KeyFileError(f"the file holds {summarise_object(managed).text}{advice}")


def _noun_of(managed: Object) -> Noun | None:
    match managed:
        case SymmetricKey():
            return SYMMETRIC
        case SecretData():
            return SECRET
        case Certificate():
            return CERTIFICATE
    return next((one for one in (RSA, EC) if one.family == summarise_object(managed).family), None)


def _make_wrapped_object(
    noun: Noun, octets: bytes, unwrapping_key: str, algorithm: str | None, options: ReadingOptions
) -> Object:
    """The object, given its octets or its PKCS#8 in a form that somebody else has wrapped by the key."""
    data = KeyWrappingData(
        WrappingMethod.ENCRYPT,
        EncryptionKeyInformation(unwrapping_key, wrapping_parameters(algorithm)),
        encoding_option=EncodingOption.NO_ENCODING,
    )
    is_raw = noun in _RAW_TYPES
    block = KeyBlock(
        KeyFormatType.RAW if is_raw else KeyFormatType.PKCS8,
        key_value=KeyValue(KeyMaterialField(octets)),
        key_wrapping_data=data,
    )
    if noun is SECRET:
        return SecretData(options.secret_type, key_block=block)
    stated = options.algorithm or CryptographicAlgorithm.AES
    if noun is SYMMETRIC:
        return SymmetricKey(dataclasses.replace(block, cryptographic_algorithm=stated))
    return PrivateKey(block)
