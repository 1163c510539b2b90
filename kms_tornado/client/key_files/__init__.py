"""Key files: from the bytes of a file to the KMIP objects that Import and Register carry, and back.

Pure. `reading` and `writing` are separate, each with a table of its formats. PEM, DER, OpenSSH and PKCS#12 are in
`containers`, JWK and JSON TTLV in modules of their names.
"""

from __future__ import annotations
