"""Keys as other programs make them, once a process: openssl, and Java where it is installed.

Each is the private key in PKCS#8 and the public one in SubjectPublicKeyInfo, as the program wrote them.
"""

from __future__ import annotations

import base64
import functools
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import keys


@dataclass(frozen=True)
class OutsideKey:
    """algorithm, length, curve: what a server has to tell of it; curve is a Recommended Curve.

    is_kept: whether what comes back is what was sent, to the byte. qlength: of DSA and DH.
    """

    private: bytes
    public: bytes
    algorithm: str
    length: int
    curve: str | None = None
    qlength: int | None = None
    is_kept: bool = True


def openssl(*arguments: str, stdin: bytes | None = None) -> bytes:
    run = subprocess.run(["openssl", *arguments], input=stdin, capture_output=True, check=False)
    assert run.returncode == 0, run.stderr.decode()
    return run.stdout


def public_of(private: bytes) -> bytes:
    """The public key of a private one in DER, as openssl computes and writes it."""
    return openssl("pkey", "-inform", "DER", "-pubout", "-outform", "DER", stdin=private)


#: Curve of openssl → its Recommended Curve in KMIP, and the bits of its field.
CURVES = {
    "prime192v1": ("P_192", 192),
    "secp224r1": ("P_224", 224),
    "prime256v1": ("P_256", 256),
    "secp384r1": ("P_384", 384),
    "secp521r1": ("P_521", 521),
    "secp256k1": ("SECP256K1", 256),
    **{
        f"brainpoolP{bits}{kind}": (f"BRAINPOOLP{bits}{kind.upper()}", bits)
        for bits in (160, 192, 224, 256, 320, 384, 512)
        for kind in ("r1", "t1")
    },
}


def to_pkcs8(private: bytes) -> bytes:
    """PKCS#8, where openssl's older commands, and `-outform DER` of the newer ones, write PKCS#1 or SEC1."""
    return openssl(
        "pkcs8", "-topk8", "-nocrypt", "-inform", "DER", "-outform", "DER", stdin=private
    )


def _make(what: tuple[str, ...], *facts: Any, is_kept: bool = True, **more: Any) -> OutsideKey:
    """what: the arguments of `openssl genpkey`."""
    private = openssl("genpkey", *what, "-outform", "DER")
    return OutsideKey(to_pkcs8(private), public_of(private), *facts, is_kept=is_kept, **more)


def _with(algorithm: str, *options: str) -> tuple[str, ...]:
    return ("-algorithm", algorithm, *(part for one in options for part in ("-pkeyopt", one)))


def _make_dsa() -> OutsideKey:
    with tempfile.TemporaryDirectory() as directory:
        file = str(Path(directory, "parameters.pem"))
        sizes = _with("DSA", "dsa_paramgen_bits:1024", "dsa_paramgen_q_bits:160")
        openssl("genpkey", "-genparam", *sizes, "-out", file)
        return _make(("-paramfile", file), "DSA", 1024, qlength=160)


@functools.cache
def of_openssl() -> dict[str, OutsideKey]:
    rsa = openssl("pkey", "-outform", "DER", stdin=keys.private_pem(keys.rsa_key(2048)))
    made = {"RSA": OutsideKey(to_pkcs8(rsa), public_of(rsa), "RSA", 2048), "DSA": _make_dsa()}
    for curve, (recommended, bits) in CURVES.items():
        group = f"ec_paramgen_curve:{curve}"
        made[curve] = _make(_with("EC", group, "ec_param_enc:named_curve"), "EC", bits, recommended)
        if curve in {"prime256v1", "secp521r1", "secp256k1", "brainpoolP320t1"}:
            made[f"{curve} explicit"] = _make(
                _with("EC", group, "ec_param_enc:explicit"), "EC", bits, recommended, is_kept=False
            )
    for name, algorithm, bits, curve in (
        ("Ed25519", "Ed25519", 256, "CURVE25519"),
        ("Ed448", "Ed448", 448, "CURVE448"),
        ("X25519", "ECDH", 256, "CURVE25519"),
        ("X448", "ECDH", 448, "CURVE448"),
    ):
        made[name] = _make(_with(name), algorithm, bits, curve)
    size = "rsa_keygen_bits:2048"
    limits = (
        "rsa_pss_keygen_md:sha256",
        "rsa_pss_keygen_mgf1_md:sha256",
        "rsa_pss_keygen_saltlen:32",
    )
    made["RSA-PSS"] = _make(_with("RSA-PSS", size), "RSA", 2048)
    made["RSA-PSS limited"] = _make(_with("RSA-PSS", size, *limits), "RSA", 2048)
    made["DH"] = _make(_with("DH", "group:ffdhe2048"), "DH", 2048)
    made["DHX"] = _make(_with("DHX", "group:dh_1024_160"), "DH", 1024, qlength=160)
    return made


JAVA = """
import java.security.*;
import java.security.spec.*;
import java.util.Base64;

public class Pairs {
    public static void main(String[] names) throws Exception {
        for (String name : names) {
            String[] parts = name.split("/");
            KeyPairGenerator generator = KeyPairGenerator.getInstance(parts[0]);
            if (parts.length > 1 && parts[0].equals("EC"))
                generator.initialize(new ECGenParameterSpec(parts[1]));
            else if (parts.length > 1)
                generator.initialize(Integer.parseInt(parts[1]));
            KeyPair pair = generator.generateKeyPair();
            Base64.Encoder base64 = Base64.getEncoder();
            System.out.println(name + " " + base64.encodeToString(pair.getPrivate().getEncoded())
                + " " + base64.encodeToString(pair.getPublic().getEncoded()));
        }
    }
}
"""

#: What Java calls them → what a server has to tell. Java leaves the public point out of the private key.
JAVA_KEYS = {
    "RSA/2048": ("RSA", 2048, None, None, True),
    "RSASSA-PSS/2048": ("RSA", 2048, None, None, True),
    "EC/secp256r1": ("EC", 256, "P_256", None, False),
    "EC/secp384r1": ("EC", 384, "P_384", None, False),
    "EC/secp521r1": ("EC", 521, "P_521", None, False),
    "DSA/1024": ("DSA", 1024, None, 160, True),
    "DH/2048": ("DH", 2048, None, None, True),
    "Ed25519": ("Ed25519", 256, "CURVE25519", None, True),
    "Ed448": ("Ed448", 448, "CURVE448", None, True),
    "X25519": ("ECDH", 256, "CURVE25519", None, True),
    "X448": ("ECDH", 448, "CURVE448", None, True),
}


@functools.cache
def of_java() -> dict[str, OutsideKey]:
    """Empty where there is no Java. One process makes them all: it takes two seconds to start."""
    java = shutil.which("java")
    if java is None:
        return {}
    with tempfile.TemporaryDirectory() as directory:
        source = Path(directory, "Pairs.java")
        source.write_text(JAVA)
        run = subprocess.run(
            [java, "-XX:TieredStopAtLevel=1", str(source), *JAVA_KEYS], capture_output=True, check=False
        )  # fmt: skip
    assert run.returncode == 0, run.stderr.decode()
    made = {}
    for line in run.stdout.decode().splitlines():
        name, *pair = line.split()
        algorithm, length, curve, qlength, is_kept = JAVA_KEYS[name]
        private, public = map(base64.b64decode, pair)
        made[f"Java {name}"] = OutsideKey(
            private, public, algorithm, length, curve, qlength, is_kept
        )
    return made
