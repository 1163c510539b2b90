"""The data key of a file, wrapped and unwrapped by the server: one request each.

The server sees 32 random bytes and a label, never a byte of the file.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ...errors import CryptographicFailure, InvalidField, ItemNotFound
from ...wording import cut
from .container import (
    DATA_KEY_BYTES,
    SALT_BYTES,
    DataKey,
    Header,
    WrappedDataKey,
    Wrapping,
    make_additional_data,
)
from .errors import FileError, UntrueFile

if TYPE_CHECKING:
    from ..blocking import KMSClient


def wrap_new_data_key(client: KMSClient, key: str | Sequence[str]) -> tuple[Header, DataKey]:
    """The header and the data key of a new file.

    With a symmetric key this takes one request. With an RSA key, which takes no additional data, it takes two, since
    only the server knows the type of the key: the first is refused. Raises FileError where the key's cipher is not
    authenticated, and the client's exceptions.
    """
    data_key, salt = DataKey(os.urandom(DATA_KEY_BYTES)), os.urandom(SALT_BYTES)
    try:
        answer = client.encrypt(key, data_key.value, additional_data=make_additional_data(salt))
    except InvalidField as refusal:
        answer = client.encrypt(key, data_key.value)
        if answer.iv or answer.tag:
            raise refusal
    try:
        wrapped = WrappedDataKey(
            key_identifier=answer.key,
            ciphertext=answer.data,
            nonce=answer.iv or b"",
            tag=answer.tag or b"",
        )
    except UntrueFile as exc:
        raise FileError(
            "this key cannot protect a file: take an AES key in GCM mode, a ChaCha20-Poly1305 key or an RSA key"
        ) from exc
    return Header(salt=salt, wrapped=wrapped), data_key


def unwrap_data_key(
    client: KMSClient, header: Header, key: str | Sequence[str] | None = None
) -> DataKey:
    """The data key of a file.

    key: to be used instead of the one that the file names.
    This takes one request; without `key`, a file for a public key takes one more, which asks for the private key.
    Raises UntrueFile where the server could not unwrap it, FileError where it does not know the key that the file
    names, and the client's exceptions.
    """
    if key is not None:
        return _unwrap(client, header, key)
    identifier = header.wrapped.key_identifier
    try:
        if header.wrapped.wrapping is Wrapping.PUBLIC_KEY:
            return _unwrap(client, header, find_private_key(client, identifier))
        return _unwrap(client, header, identifier)
    except ItemNotFound as exc:
        raise FileError(
            f"the file is for the key {_format_key_name(identifier)}, which this server does not have, or not for you: ask its owner "
            "to share it (kmsctl share), or name another key with --with"
        ) from exc


def _unwrap(client: KMSClient, header: Header, key: str | Sequence[str]) -> DataKey:
    from ..calls.cryptography import Ciphertext

    wrapped = header.wrapped
    ciphertext = Ciphertext(
        wrapped.key_identifier, wrapped.ciphertext, wrapped.nonce or None, wrapped.tag or None
    )
    is_public = wrapped.wrapping is Wrapping.PUBLIC_KEY
    additional_data = None if is_public else make_additional_data(header.salt)
    try:
        return DataKey(client.decrypt(key, ciphertext, additional_data=additional_data))
    except CryptographicFailure as exc:
        raise UntrueFile(
            f"the server cannot unwrap the file's data key with {_format_key_name(key)}: the file is for another key, or its "
            "header was edited"
        ) from exc


def find_private_key(client: KMSClient, public_key: str) -> str:
    """The private key to which a public key is linked. Raises FileError where there is none."""
    from ...kmip.enums import LinkType
    from ...kmip.payloads import AttributeReference

    attributes = client.get_attributes(public_key, [AttributeReference("Link")])
    for link in attributes.links:
        if link.link_type is LinkType.PRIVATE_KEY_LINK:
            return link.linked_object_identifier
    raise FileError(
        f"the file is for the public key {_format_key_name(public_key)}, which has no link to its private key: name that with "
        "--with"
    )


def _format_key_name(key: str | Sequence[str]) -> str:
    """A key as an error names it, shortened: whoever made the file chose the length of the name."""
    return cut(repr(key), 100)
