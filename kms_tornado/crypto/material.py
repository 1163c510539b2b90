"""Plaintext key material: a type of its own, never mistaken for bytes to store or to show."""

from __future__ import annotations

from typing import Any, NoReturn

from cryptography.hazmat.primitives.constant_time import bytes_eq


class KeyMaterial:
    """The bytes of one key in the clear. `reveal` is the only way to them, and easy to search for.

    It hides in reprs, tracebacks and logs, has no JSON form and cannot be pickled or copied. It is
    not wiped from memory: Python may copy bytes at will, so a promise to wipe would be a false one.
    """

    __slots__ = ("_value",)

    def __init__(self, value: bytes) -> None:
        if not isinstance(value, bytes):
            raise TypeError("key material is made of bytes")
        self._value = value

    def reveal(self) -> bytes:
        return self._value

    @property
    def bits(self) -> int:
        return len(self._value) * 8

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, KeyMaterial):
            return NotImplemented
        return bytes_eq(self._value, other._value)

    __hash__ = None  # type: ignore[assignment]  # the hash of a short key would reveal it

    def __repr__(self) -> str:
        return "KeyMaterial(hidden)"

    def __getstate__(self) -> NoReturn:
        raise TypeError("key material does not leave the process")

    def __reduce_ex__(self, protocol: Any) -> NoReturn:
        raise TypeError("key material does not leave the process")
