"""The table of kmsctl's commands.

Imports nothing but the standard library: tests and the documentation read it without click.
"""

from __future__ import annotations

from typing import Final

#: Every command: where it is defined, and what the list of commands says about it. The modules are imported
#: when their command is called, so that `--help` and completion load none of them.
COMMANDS: Final[dict[str, tuple[str, str]]] = {
    "configure": (
        "kms_tornado.client.cli.account.configure:configure",
        "Write down which server you use, and where you sign in.",
    ),
    "login": (
        "kms_tornado.client.cli.account.login:login",
        "Sign in, by a browser or on another device.",
    ),
    "logout": (
        "kms_tornado.client.cli.account.login:logout",
        "End the login, and forget its tokens.",
    ),
    "whoami": (
        "kms_tornado.client.cli.account.whoami:whoami",
        "Print who you are to the server.",
    ),
    "create": (
        "kms_tornado.client.cli.keys.creating:create",
        "Make a key with a Name.",
    ),
    "ls": (
        "kms_tornado.client.cli.objects.listing:list_objects",
        "List your objects and those that others share with you.",
    ),
    "encrypt": (
        "kms_tornado.client.cli.files.files:encrypt",
        "Encrypt files for a key.",
    ),
    "decrypt": (
        "kms_tornado.client.cli.files.files:decrypt",
        "Decrypt files.",
    ),
    "share": (
        "kms_tornado.client.cli.objects.access:share",
        "Let somebody use a key of yours.",
    ),
    "unshare": (
        "kms_tornado.client.cli.objects.access:unshare",
        "Take rights on a key of yours from somebody.",
    ),
    "sym": ("kms_tornado.client.cli.keys.nouns:sym", "Symmetric keys."),
    "rsa": ("kms_tornado.client.cli.keys.nouns:rsa", "RSA keys."),
    "ec": ("kms_tornado.client.cli.keys.nouns:ec", "Keys on elliptic curves."),
    "secret-data": ("kms_tornado.client.cli.keys.nouns:secret_data", "Passwords and seeds."),
    "certificates": ("kms_tornado.client.cli.keys.nouns:certificates", "X.509 certificates."),
    "attributes": (
        "kms_tornado.client.cli.objects.attributes:attributes",
        "Look at the attributes of an object, and change them.",
    ),
    "access-rights": (
        "kms_tornado.client.cli.objects.access:access_rights",
        "Grant, withdraw and list access rights.",
    ),
    "audit": (
        "kms_tornado.client.cli.objects.audit:audit",
        "List what was done, with which object, by whom.",
    ),
    "locate": (
        "kms_tornado.client.cli.objects.listing:locate",
        "Print the identifiers of the objects that fit.",
    ),
    "mac": (
        "kms_tornado.client.cli.digests:mac",
        "Compute and verify message authentication codes.",
    ),
    "hash": (
        "kms_tornado.client.cli.digests:hash_data",
        "Print the digest of a file.",
    ),
    "derive-key": (
        "kms_tornado.client.cli.derivation:derive_key",
        "Derive a new key from another, or from a password.",
    ),
    "batch": (
        "kms_tornado.client.cli.batch:batch",
        "Send a file of KMIP operations in one request.",
    ),
    "server-version": (
        "kms_tornado.client.cli.server:server_version",
        "Print the version of the server.",
    ),
    "completion": (
        "kms_tornado.client.cli.completion:completion",
        "Print the script that completes commands in a shell.",
    ),
}

#: Where `--help` begins a new list: the first command of each, and its title.
SECTIONS: Final = {
    "configure": "To begin",
    "create": "Keys and files",
    "sym": "Everything that can be done, named as in ckms",
    "server-version": "Besides",
}
