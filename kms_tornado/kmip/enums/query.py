"""Enumerations of Query: what is asked, and what a server says of itself (KMIP 2.1 §6.1.32, §11)."""

from __future__ import annotations

from enum import IntEnum


class QueryFunction(IntEnum):
    QUERY_OPERATIONS = 1
    QUERY_OBJECTS = 2
    QUERY_SERVER_INFORMATION = 3
    QUERY_APPLICATION_NAMESPACES = 4
    QUERY_EXTENSION_LIST = 5
    QUERY_EXTENSION_MAP = 6
    QUERY_ATTESTATION_TYPES = 7
    QUERY_RNGS = 8
    QUERY_VALIDATIONS = 9
    QUERY_PROFILES = 10
    QUERY_CAPABILITIES = 11
    QUERY_CLIENT_REGISTRATION_METHODS = 12
    QUERY_DEFAULTS_INFORMATION = 13
    QUERY_STORAGE_PROTECTION_MASKS = 14


class RNGMode(IntEnum):
    UNSPECIFIED = 1
    SHARED_INSTANTIATION = 2
    NON_SHARED_INSTANTIATION = 3


class UnwrapMode(IntEnum):
    UNSPECIFIED = 1
    PROCESSED = 2
    NOT_PROCESSED = 3


class DestroyAction(IntEnum):
    UNSPECIFIED = 1
    KEY_MATERIAL_DELETED = 2
    KEY_MATERIAL_SHREDDED = 3
    META_DATA_DELETED = 4
    META_DATA_SHREDDED = 5
    DELETED = 6
    SHREDDED = 7


class ShreddingAlgorithm(IntEnum):
    UNSPECIFIED = 1
    CRYPTOGRAPHIC = 2
    UNSUPPORTED = 3


class ClientRegistrationMethod(IntEnum):
    UNSPECIFIED = 1
    SERVER_PRE_GENERATED = 2
    SERVER_ON_DEMAND = 3
    CLIENT_GENERATED = 4
    CLIENT_REGISTERED = 5
