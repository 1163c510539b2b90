"""Objects on their way into the server and out of it, in the clear or wrapped by another key.

The way in (Register, Import)::

    Object ── incoming.parse_object ──────────────┬──► ParsedObject ─┬─ new_object.make_object ─────────┬─► ManagedObject
       │                                          │                  └─ imported.make_imported_object ──┘     (sealed)
       │ has KeyWrappingData                      │                     (attributes, dates, tags, digest)
       ├── wrapping.unwrap_key_block, then as above    KeyWrapType is Not Wrapped
       └── stored_wrapped.parse_wrapped_object ───┘    otherwise: it is stored as it came

`parse_object` brings every format into one canonical form per object type: raw octets of symmetric keys,
secret data and opaque objects, DER of the others (PKCS#8, SPKI, X.509). An envelope seals that form under a
data key of its own (`crypto.sealing.envelope`); the type of plaintext is not one that the store accepts. The
attribute KeyFormatType says in which format the object is given out again.

The way out (Get, Export)::

    ManagedObject ── Call.as_usable ───► UsableKey ── outgoing.render_object ──► Object in the clear
          │                                  │
          │ is stored wrapped                └─────── wrapping.wrap_key_block ──► Object, wrapped by a key
          ├── stored_wrapped.unwrap_stored, then as above                         that the request names
          └── stored_wrapped.render_as_registered ──────────────────────────────► Object as it came

Sensitive and Extractable are checked before the envelope is opened. `wrapping_policy` decides which keys may
wrap a Sensitive object that leaves the server.
"""
