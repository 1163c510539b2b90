"""The verb `export`: writes an object to a file, in the clear or wrapped by another key."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from ....errors import (
    FeatureNotSupported,
    KeyFormatTypeNotSupported,
    KMIPError,
    SensitiveObject,
)
from ....kmip.enums import EncodingOption, KeyFormatType, KeyWrapType, State
from ....kmip.objects import Certificate, KeyWrappingSpecification, Object, OpaqueObject, PublicKey
from ....kmip.payloads import AttributeReference, ExportRequest, ExportResponse
from ...key_files.json_ttlv import with_limits
from ...key_files.kmip_objects import is_wrapped
from ...key_files.writing import FORMAT_NAMES, TEXT_FORMATS, write_key_file
from ..key_names import resolve_key, use_key
from ..output import warn
from ..session import Session
from .nouns import CERTIFICATE, SECRET, SYMMETRIC, Noun
from .options import existing, name_of, with_options
from .saving import check_replaceable, show_written, write_output
from .targets import describe_object, format_state
from .wrapping import WRAPPING_ALGORITHMS, specify_wrapping

_CERTIFICATE_FORMATS = ("json-ttlv", "der", "raw", "pem")

#: Of names of files that are not expected to hold JSON, which is the default, as ckms has it.
_SUFFIXES_OF_OTHERS = frozenset({".pem", ".crt", ".der", ".cer"})

_USABLE = frozenset({State.PRE_ACTIVE, State.ACTIVE})

#: The octets that the other formats are made of. `raw` and `base64` of other keys are theirs, too.
_OCTETS = {SYMMETRIC: KeyFormatType.RAW, SECRET: KeyFormatType.RAW, CERTIFICATE: None}


_OPTIONS = (
    click.option("unwraps", "--unwrap", "-u", is_flag=True,
                 help="Have the server unwrap a key that it keeps wrapped."),
    click.option("wrapping_key", "--wrap-key-id", "-w", metavar="KEY",
                 help="Have the server wrap the key by this one."),
    click.option("wrapping_algorithm", "--wrapping-algorithm", "-m",
                 type=click.Choice(list(WRAPPING_ALGORITHMS)), help="How to wrap it."),
    click.option("replaces", "--force", is_flag=True, help="Replace the file if it is there."),
)  # fmt: skip


def make_export(noun: Noun) -> click.Command:
    is_certificate = noun is CERTIFICATE
    formats = _CERTIFICATE_FORMATS if is_certificate else FORMAT_NAMES
    flags = ("--format", "-f") if is_certificate else ("--key-format", "-f")
    file_format = click.option(
        "file_format", *flags, type=click.Choice(formats), show_default=True,
        default="json-ttlv", help="The format of the file.",
    )  # fmt: skip
    allows_revoked = click.option(
        "allows_revoked", "--allow-revoked", "-r" if is_certificate else "-i", is_flag=True,
        help="Export one that is revoked as well.",
    )  # fmt: skip

    @click.command(epilog=f"kmsctl {noun.words} export billing FILE -f {formats[-1]}")
    @click.argument("names", nargs=-1, required=True, metavar="[KEY] FILE")
    @existing(noun, positional=False)
    @with_options([file_format, *_OPTIONS, allows_revoked])
    @click.pass_obj
    def export(
        session: Session, /, names: tuple[str, ...], key_id: str | None, **options: Any
    ) -> None:
        """Write an object to a file, which only you may read where it holds a secret. FILE: - is stdout."""
        if len(names) > 2:
            raise click.UsageError(
                "give the key and the file, or the file alone with --key-id or --tag"
            )
        key = name_of(names[0] if len(names) == 2 else None, key_id)
        _export_file(session, noun, key, names[-1], _Options(**options))

    return export


@dataclass(frozen=True, slots=True, kw_only=True)
class _Options:
    """The values of the command's options, by the names that they have above."""

    tags: tuple[str, ...]
    file_format: str
    unwraps: bool
    wrapping_key: str | None
    wrapping_algorithm: str | None
    allows_revoked: bool
    replaces: bool


def _export_file(
    session: Session, noun: Noun, key: str | None, file: str, options: _Options
) -> None:
    check_replaceable(file, replaces=options.replaces)
    response = _export(session, noun, key, options)
    state = response.attributes.state
    if response.object is None:
        raise click.ClickException("the object has no key material any more: it was destroyed")
    if state not in _USABLE and not options.allows_revoked:
        raise click.ClickException(
            f"the {noun.title} is {format_state(state)}: add --allow-revoked to export it nevertheless"
        )
    uid = response.unique_identifier
    managed = with_limits(response.object, response.attributes)
    octets = write_key_file(managed, options.file_format, uid)
    secret = _name_secret(response)
    is_text = options.file_format in TEXT_FORMATS
    write_output(file, octets, secret=secret, is_text=is_text, replaces=options.replaces)
    if options.file_format == "json-ttlv" and Path(file).suffix.lower() in _SUFFIXES_OF_OTHERS:
        warn(f"{file} is JSON, whatever its name says: -f chooses another format")
    described = secret or describe_object(uid, response.attributes)
    advice = ". Whoever has this file has the key." if secret else ""
    show_written(session, file, f"{file}: {described}{advice}", unique_identifier=uid)


def _export(session: Session, noun: Noun, key: str | None, options: _Options) -> ExportResponse:
    """Export the object, wrapped by another key if the options name one."""
    file_format, unwraps = options.file_format, options.unwraps
    if options.wrapping_key is None:
        if options.wrapping_algorithm is not None:
            raise click.UsageError("--wrapping-algorithm goes with --wrap-key-id")
        return _fetch(session, noun, key, options.tags, file_format, None, unwraps=unwraps)
    if file_format not in {"json-ttlv", "raw", "base64"}:
        raise click.UsageError("a wrapped key is written as json-ttlv, raw or base64")
    wrapping_uid = resolve_key(session, options.wrapping_key, ())
    uid = resolve_key(session, key, options.tags)
    encoding = _choose_encoding(session, uid, file_format)
    wrapping = specify_wrapping(wrapping_uid, options.wrapping_algorithm, encoding)
    return _fetch(session, noun, uid, (), file_format, wrapping, unwraps=unwraps)


def _choose_encoding(session: Session, key: str, file_format: str) -> EncodingOption:
    """How to wrap the key: a Sensitive one together with its rights, which needs TTLV; others as their octets alone."""
    attributes = session.client.get_attributes(key, [AttributeReference("Sensitive")])
    if not attributes.sensitive:
        return EncodingOption.NO_ENCODING
    if file_format != "json-ttlv":
        raise click.ClickException(
            "the key is Sensitive and is wrapped together with its rights: choose -f json-ttlv"
        )
    return EncodingOption.TTLV_ENCODING


def _fetch(
    session: Session, noun: Noun, key: str | None, tags: tuple[str, ...], file_format: str,
    wrapping: KeyWrappingSpecification | None, *, unwraps: bool,
) -> ExportResponse:  # fmt: skip
    """Fetch the object, in a form from which the file's format can be made."""
    key_format = None if file_format == "json-ttlv" else _OCTETS.get(noun, KeyFormatType.PKCS8)
    wrap_type = KeyWrapType.NOT_WRAPPED if unwraps else None

    def export(target: str | tuple[str, ...]) -> ExportResponse:
        try:
            response = session.client.export(
                target, key_format_type=key_format, key_wrap_type=wrap_type, wrapping=wrapping
            )
        except KeyFormatTypeNotSupported:
            if key_format is not KeyFormatType.RAW:
                raise
            response = session.client.export(  # a key that is kept Opaque: its octets, as they came
                target,
                key_format_type=KeyFormatType.OPAQUE,
                key_wrap_type=wrap_type,
                wrapping=wrapping,
            )
        return response

    try:
        response: ExportResponse = use_key(session, key, tags, export)
    except SensitiveObject as exc:
        if wrapping is not None:
            raise
        raise SensitiveObject(f"{exc}: name the key to wrap it with by --wrap-key-id") from None
    managed = response.object
    if managed is None or not is_wrapped(managed):
        return response
    if wrapping is None:
        return _with_all_parameters(session, response)
    return dataclasses.replace(response, object=_state_wrapping(managed, wrapping))


def _with_all_parameters(session: Session, response: ExportResponse) -> ExportResponse:
    """A key that is stored wrapped, with everything that is needed to unwrap it.

    The answer to a bare operation leaves that out, because the published clients cannot read it.
    """
    request = ExportRequest(unique_identifier=response.unique_identifier)
    (whole,) = session.client.perform_batch([request])
    if isinstance(whole, KMIPError):
        raise whole
    if not isinstance(whole, ExportResponse) or whole.object is None:
        raise FeatureNotSupported("the server does not say how the key is wrapped")
    return whole


def _state_wrapping(managed: Object, wrapping: KeyWrappingSpecification) -> Object:
    """The object with KeyWrappingData that say how it was wrapped, as the server was asked to do it."""
    assert not isinstance(managed, Certificate | OpaqueObject)
    block = managed.key_block
    assert block.key_wrapping_data is not None
    data = dataclasses.replace(
        block.key_wrapping_data,
        encryption_key_information=wrapping.encryption_key_information,
        encoding_option=wrapping.encoding_option,
    )
    return dataclasses.replace(
        managed, key_block=dataclasses.replace(block, key_wrapping_data=data)
    )


def _name_secret(response: ExportResponse) -> str:
    """The secret that only the owner of the file may see, in words; "" where there is none."""
    managed = response.object
    if managed is None or isinstance(managed, Certificate | PublicKey) or is_wrapped(managed):
        return ""
    return describe_object(response.unique_identifier, response.attributes)
