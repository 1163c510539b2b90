"""Which noun has which verbs, and where each verb is made. Imports click and nothing that takes time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import click

from ..root import LazyGroup


@dataclass(frozen=True, slots=True)
class Noun:
    """What the verbs of one noun have in common.

    words: the words before the verb, such as "sym keys".
    title: one object, in words.
    id_flags: the flags by which ckms names the object.
    family: the family of asymmetric keys that the noun is for, as in `summarise_object`.
    """

    words: str
    title: str
    id_flags: tuple[str, ...] = ("--key-id", "-k")
    family: str = ""


SYMMETRIC = Noun("sym keys", "symmetric key")
RSA = Noun("rsa keys", "RSA key", family="RSA")
EC = Noun("ec keys", "elliptic-curve key", family="elliptic-curve")
SECRET = Noun("secret-data", "secret", ("--secret-data-id", "--key-id", "-s", "-k"))
CERTIFICATE = Noun("certificates", "certificate", ("--certificate-id", "--key-id", "-c", "-k"))

#: Verb → the module and the function that makes its command for a noun, or the command itself, and what the
#: list of verbs says about it.
Verbs = Mapping[str, tuple[str, str]]

_ENDING: Verbs = {
    "activate": (".ending:make_activate", "Make one Active that waits for it."),
    "revoke": (".ending:make_revoke", "End its use for encrypting and signing."),
    "destroy": (".ending:make_destroy", "Wipe the key material for good."),
}
_PORTING: Verbs = {
    "export": (".exporting:make_export", "Write one to a file."),
    "import": (".importing:make_import", "Bring one from a file."),
}
_REKEY: Verbs = {
    "rekey": (".replacing:make_rekey", "Put a new one in the place of an old one."),
    "re-key": (".replacing:make_rekey", "As rekey, as ckms spells it."),
}
_SIGNING: Verbs = {
    "sign": (".signing:make_sign", "Sign a file."),
    "sign-verify": (".signing:make_verify", "Check the signature of a file."),
}
_ENCRYPTING: Verbs = {
    "encrypt": (".encrypting:make_encrypt", "Encrypt a file of a few bytes, such as a key."),
    "decrypt": (".encrypting:make_decrypt", "Decrypt what encrypt made."),
}
#: The same commands as the short ones.
_FILES: Verbs = {
    "encrypt": ("..files.files:encrypt", "Encrypt files, also in ckms's format."),
    "decrypt": ("..files.files:decrypt", "Decrypt files."),
}


class VerbGroup(LazyGroup):
    """The verbs of a noun. The table names a function that makes a command, or the command itself."""

    def __init__(self, noun: Noun, verbs: Verbs, text: str) -> None:
        super().__init__(noun.words.split()[-1], verbs, package=__package__, help=text)
        self._noun = noun

    def make_command(self, name: str, loaded: Any) -> click.Command:
        if isinstance(loaded, click.Command):
            return loaded
        command = loaded(self._noun)
        assert isinstance(command, click.Command)
        command.name = name
        return command


def _make_noun(name: str, keys: Noun, verbs: Verbs, text: str) -> VerbGroup:
    """A noun: `keys` with the verbs that all keys have, and its own verbs beside it."""
    create: Verbs = {"create": (f".creating:make_create_{name}", f"Make a new {keys.title}.")}
    group = VerbGroup(Noun(name, keys.title, family=keys.family), verbs, text)
    group.add_command(
        VerbGroup(
            keys,
            {**create, **_PORTING, **_REKEY, **_ENDING},
            f"{text} Make, export, import and end them.",
        )
    )
    return group


sym = _make_noun("sym", SYMMETRIC, _FILES, "Symmetric keys.")
rsa = _make_noun("rsa", RSA, {**_ENCRYPTING, **_SIGNING}, "RSA keys.")
ec = _make_noun("ec", EC, _SIGNING, "Keys on elliptic curves.")
secret_data = VerbGroup(
    SECRET,
    {
        "create": (".creating:make_create_secret", "Keep a password, or a new random seed."),
        **_PORTING,
        **_ENDING,
    },
    "Passwords and seeds.",
)
certificates = VerbGroup(
    CERTIFICATE,
    {
        "export": (".exporting:make_export", "Write one to a file."),
        "import": (".certificates:make_import", "Bring one, a chain, or a PKCS#12 file."),
        **_ENDING,
        **_ENCRYPTING,
    },
    "X.509 certificates.",
)
