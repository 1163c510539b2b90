"""Create, Import, Get and Export: objects come and go (KMIP 2.1 §6.1)."""

from __future__ import annotations

from dataclasses import dataclass, field

from ..attributes import Attributes
from ..enums import KeyCompressionType, KeyFormatType, KeyWrapType, ObjectType
from ..objects import KeyWrappingSpecification, ObjectField


@dataclass(frozen=True, slots=True)
class CreateRequest:
    object_type: ObjectType
    attributes: Attributes


@dataclass(frozen=True, slots=True)
class CreateResponse:
    object_type: ObjectType
    unique_identifier: str


@dataclass(frozen=True, slots=True)
class ImportRequest:
    """unique_identifier: "" means that the server chooses (KMIP.md §7)."""

    unique_identifier: str
    object_type: ObjectType
    replace_existing: bool | None = None
    key_wrap_type: KeyWrapType | None = None
    attributes: Attributes = field(default_factory=Attributes)
    object: ObjectField | None = None


@dataclass(frozen=True, slots=True)
class ImportResponse:
    unique_identifier: str


@dataclass(frozen=True, slots=True)
class GetRequest:
    unique_identifier: str | None = None
    key_format_type: KeyFormatType | None = None
    key_wrap_type: KeyWrapType | None = None
    key_wrapping_specification: KeyWrappingSpecification | None = None
    key_compression_type: KeyCompressionType | None = None


@dataclass(frozen=True, slots=True)
class GetResponse:
    object_type: ObjectType
    unique_identifier: str
    object: ObjectField


@dataclass(frozen=True, slots=True)
class ExportRequest:
    unique_identifier: str | None = None
    key_format_type: KeyFormatType | None = None
    key_wrap_type: KeyWrapType | None = None
    key_wrapping_specification: KeyWrappingSpecification | None = None
    key_compression_type: KeyCompressionType | None = None


@dataclass(frozen=True, slots=True)
class ExportResponse:
    """object: None once it is destroyed."""

    object_type: ObjectType
    unique_identifier: str
    attributes: Attributes
    object: ObjectField | None = None
