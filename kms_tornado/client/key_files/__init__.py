"""Key files: the bytes of a file to the KMIP objects that Import and Register carry, and back. Pure.

Reading and writing are apart, `reading` and `writing`; each has a table of its formats. PEM, DER, OpenSSH
and PKCS#12 are in `containers`, JWK and JSON TTLV in modules of their names.
"""

from __future__ import annotations
