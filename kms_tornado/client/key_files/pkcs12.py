"""PKCS#12 files, read into KMIP objects by `cryptography`."""

from __future__ import annotations

import re

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, pkcs12

from ...kmip.objects import Object
from .errors import KeyFileError, PasswordRequired, WrongPassword
from .kmip_objects import make_certificate, make_private_key

#: The types keyBag and pkcs8ShroudedKeyBag (RFC 7292 §4.2). The library reads one key and says nothing of others. Keys
#: are encrypted one by one and stand beside the encrypted certificates, so their types are seen.
_KEY_BAG = re.compile(rb"\x06\x0b\x2a\x86\x48\x86\xf7\x0d\x01\x0c\x0a\x01[\x01\x02]", re.DOTALL)


def read_pkcs12(octets: bytes, password: bytes | None = None) -> tuple[Object, ...]:
    """The private key, its certificate, and the chain, as far as they are there. Raises as `read_pem` does."""
    for attempt in (None, b"") if password is None else (password,):
        try:
            store = pkcs12.load_pkcs12(octets, attempt)
            break
        except UnsupportedAlgorithm as exc:
            raise KeyFileError(
                f"the PKCS#12 file is in a form that is not supported: {exc}"
            ) from None
        except (ValueError, TypeError):
            continue
    else:
        if password is None:
            raise PasswordRequired("the PKCS#12 file is encrypted")
        raise WrongPassword("the password does not open the PKCS#12 file, or the file is malformed")
    keys = len(_KEY_BAG.findall(octets))
    if keys > 1:
        raise KeyFileError(
            f"the PKCS#12 file holds {keys} private keys, and one at a time is read: `keytool -importkeystore "
            "-srckeystore FILE -srcalias NAME -destkeystore ONE.p12 -deststoretype PKCS12` takes one out, and `keytool "
            "-list -keystore FILE` names them"
        )
    objects: list[Object] = []
    if store.key is not None:
        objects.append(make_private_key(store.key))
    if store.cert is not None:
        objects.append(make_certificate(store.cert.certificate.public_bytes(Encoding.DER)))
    objects += [
        make_certificate(one.certificate.public_bytes(Encoding.DER))
        for one in store.additional_certs
    ]
    if not objects:
        raise KeyFileError("the PKCS#12 file is empty")
    return tuple(objects)
