"""Nonces: who makes the nonces for a key, and how many of them the server may make.

Two messages with the same nonce in GCM, ChaCha20 or CTR expose each other, and in GCM also the key of all tags. It
would not be enough to record the nonces that callers bring: a caller could bring one that the server made. So each key
has one source of nonces, which its first encryption determines for ever:

    the server     96 random bits each; only their number has to be recorded
    the callers    each nonce is recorded, and refused when it comes again

A key means key material here, not an identifier: the same material under two identifiers has one source and one record
of nonces. Only `permissive` keeps them apart by object, since the published test cases register the same keys again and
again, and repeat their nonces.
"""

from __future__ import annotations

from enum import IntEnum

from ..errors import NoncesSpent, WrongNonceSource

#: Random nonces of 96 bits for one key: with more, two of them are equal with a probability above 2^-33
#: (NIST SP 800-38D §8.3).
MAX_SERVER_NONCES = 2**32

#: The nonces that a process reserves with one write. Those that it has left are lost when it ends.
RESERVED_BLOCK = 2**16


class NonceSource(IntEnum):
    """Who makes a key's nonces. The numbers are stored."""

    SERVER = 1
    CALLER = 2
    #: The server, for a key that is older than the records: it may have made nonces that nobody counted.
    SERVER_UNRECORDED = 3
    #: Both, with different objects of one material: --crypto-policy permissive does not keep them apart.
    MIXED = 4


# Python 3.11 looks a member of an enumeration up in a function.
_CALLER, _MIXED = NonceSource.CALLER, NonceSource.MIXED


def check_caller_may_choose(fixed: int | None) -> None:
    """Raises WrongNonceSource where the server makes the key's nonces.

    fixed: the key's NonceSource; None before its first encryption.
    """
    _check_not_mixed(fixed)
    if fixed not in (None, _CALLER):
        raise WrongNonceSource(
            "the server makes the nonces of this key: leave IVCounterNonce out; to bring your own, "
            "ReKey and bring one with the first encryption under the new key"
        )


def check_server_may_choose(fixed: int | None, *, instead: str = "send IVCounterNonce") -> None:
    """Raises WrongNonceSource where callers bring the key's nonces.

    fixed: as for `check_caller_may_choose`. instead: what the caller may do with this key.
    """
    _check_not_mixed(fixed)
    if fixed == _CALLER:
        raise WrongNonceSource(
            f"callers bring the nonces of this key: {instead}; to have the server make them, "
            "ReKey and use the new key without IVCounterNonce"
        )


def _check_not_mixed(fixed: int | None) -> None:
    if fixed == _MIXED:
        raise WrongNonceSource(
            "objects with the same key material took nonces from the server and from callers: "
            "ReKey, and encrypt with the new key"
        )


def mix_sources(fixed: NonceSource, added: NonceSource) -> NonceSource:
    """The source of a material that has objects with either source. added: SERVER or CALLER."""
    return fixed if fixed is added else _MIXED


def add_reserved(reserved: int, count: int) -> int:
    """The number of nonces that are reserved after `count` more. Raises NoncesSpent."""
    after = reserved + count
    if after > MAX_SERVER_NONCES:
        raise NoncesSpent(
            "the server has made as many nonces for this key as are safe (2^32): "
            "ReKey, and encrypt with the new key"
        )
    return after
