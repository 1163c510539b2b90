"""Key files: from the bytes of a file to the KMIP objects that Import and Register carry, and back.

Pure. `reading` and `writing` are separate, each with a table of its formats. PEM and DER are in
`containers`, PKCS#12, OpenSSH, JWK and JSON TTLV in modules of their names.
"""

from __future__ import annotations
