"""Files that a server serves HTTPS with."""

from __future__ import annotations

import ssl

from .issuer import write_tls_files
from .keys import certificate, private_key, private_pem

FILES = ("--tls-cert-file", "cert.pem", "--tls-key-file", "key.pem")


def write_pair(directory, name, ends_in_days=10):
    key = private_key("ES256", name)
    pem = certificate(key, names=(name.replace(" ", "-"),), ends_in_days=ends_in_days)
    write_tls_files(directory, pem, private_pem(key))
    return pem


def trusting_context(*pems):
    return ssl.create_default_context(cadata=b"".join(pems).decode())
