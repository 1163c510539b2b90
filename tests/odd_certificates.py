"""Certificates as the field makes them: what OpenSSL and Java read although it breaks the rules of RFC 5280.

They are built by hand, octet by octet, as no tool makes all of them. Signatures are made up: nobody checks them.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from cryptography.hazmat.primitives import serialization as s
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, x448, x25519

from kms_tornado.crypto.keys.ber_reader import encode_oid

from .keys import private_key, rsa_key

# --- DER ----------------------------------------------------------------------------------------


def der(tag: int, *contents: bytes) -> bytes:
    content = b"".join(contents)
    if len(content) < 0x80:
        return bytes((tag, len(content))) + content
    size = (len(content).bit_length() + 7) // 8
    return bytes((tag, 0x80 | size)) + len(content).to_bytes(size, "big") + content


def long_form(tag: int, *contents: bytes) -> bytes:
    """With a length in four octets, however short it is."""
    content = b"".join(contents)
    return bytes((tag, 0x84)) + len(content).to_bytes(4, "big") + content


def endless(tag: int, *contents: bytes) -> bytes:
    """With an end that is marked, as BER has it."""
    return bytes((tag, 0x80)) + b"".join(contents) + b"\0\0"


def sequence(*contents: bytes) -> bytes:
    return der(0x30, *contents)


def oid(dotted: str) -> bytes:
    return der(6, encode_oid(dotted))


def integer(number: int) -> bytes:
    return der(2, number.to_bytes(number.bit_length() // 8 + 1, "big", signed=True))


def bits(octets: bytes) -> bytes:
    return der(3, b"\0", octets)


# --- parts of a certificate ---------------------------------------------------------------------

CN, ORGANIZATION, COUNTRY, POSTAL, UID = (
    "2.5.4.3",
    "2.5.4.10",
    "2.5.4.6",
    "2.5.4.16",
    "0.9.2342.19200300.100.1.1",
)
EMAIL = "1.2.840.113549.1.9.1"
PRINTABLE, TELETEX, IA5, UTF8 = 0x13, 0x14, 0x16, 0x0C
NUMERIC, UNIVERSAL, BMP, VISIBLE = 0x12, 0x1C, 0x1E, 0x1A

SHA256_RSA = sequence(oid("1.2.840.113549.1.1.11"), der(5))
NULL = der(5)


def part(kind: str, text: str | bytes, tag: int = UTF8) -> bytes:
    """One type with its value. text: bytes stand as they are."""
    return sequence(oid(kind), der(tag, text.encode() if isinstance(text, str) else text))


def name(*parts: bytes) -> bytes:
    """Each part a relative name of its own."""
    return sequence(*(der(0x31, one) for one in parts))


def common_name(text: str | bytes, tag: int = UTF8) -> bytes:
    return name(part(CN, text, tag))


def utc(text: str) -> bytes:
    return der(0x17, text.encode())


def generalized(text: str) -> bytes:
    return der(0x18, text.encode())


def extension(kind: str, value: bytes, *, critical: bool = False) -> bytes:
    return sequence(oid(kind), *([der(1, b"\xff")] if critical else []), der(4, value))


SAN, IAN, KEY_USAGE, AKI = "2.5.29.17", "2.5.29.18", "2.5.29.15", "2.5.29.35"
BASIC_CONSTRAINTS, PROXY = "2.5.29.19", "1.3.6.1.5.5.7.1.14"


def names(*alternatives: bytes) -> bytes:
    return extension(SAN, sequence(*alternatives))


def dns(host: str) -> bytes:
    return der(0x82, host.encode())


def spki(key: object) -> bytes:
    return key.public_key().public_bytes(  # type: ignore[attr-defined,no-any-return]
        s.Encoding.DER, s.PublicFormat.SubjectPublicKeyInfo
    )


def rsa_spki(modulus_bits: int, exponent: int = 65537, algorithm: bytes | None = None) -> bytes:
    """Of a number that is no product of two primes: it takes seconds to find some."""
    numbers = sequence(integer(2 ** (modulus_bits - 1) + 1), integer(exponent))
    return sequence(algorithm or sequence(oid("1.2.840.113549.1.1.1"), NULL), bits(numbers))


RSA = spki(rsa_key(2048))
_P256 = spki(private_key("ES256"))
_PSS = "1.2.840.113549.1.1.10"
_PSS_PARAMETERS = sequence(
    der(0xA0, sequence(oid("2.16.840.1.101.3.4.2.1"))), der(0xA2, integer(32))
)


def _explicit_curve() -> bytes:
    """P-256 with its numbers in place of its name."""
    p = 2**256 - 2**224 + 2**192 + 2**96 - 1
    b = bytes.fromhex("5ac635d8aa3a93e7b3ebbd55769886bc651d06b0cc53b0f63bce3c3e27d2604b")
    g = bytes.fromhex(
        "046b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296"
        "4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5"
    )
    n = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
    field_ = sequence(oid("1.2.840.10045.1.1"), integer(p))
    curve = sequence(der(4, (p - 3).to_bytes(32, "big")), der(4, b))
    parameters = sequence(integer(1), field_, curve, der(4, g), integer(n), integer(1))
    return sequence(sequence(oid("1.2.840.10045.2.1"), parameters), bits(_P256[-65:]))


def _dsa_key() -> bytes:
    numbers = dsa.DSAParameterNumbers(p=2**2047 + 1, q=2**255 + 1, g=4)
    parameters = sequence(integer(numbers.p), integer(numbers.q), integer(numbers.g))
    return sequence(sequence(oid("1.2.840.10040.4.1"), parameters), bits(integer(2**2040 + 1)))


def _dh_key() -> bytes:
    parameters = sequence(integer(2**2047 + 1), integer(2))
    return sequence(sequence(oid("1.2.840.113549.1.3.1"), parameters), bits(integer(2**2040 + 1)))


def certificate(
    *,
    version: int | None = 2,
    serial: bytes = integer(4711),
    algorithm: bytes = SHA256_RSA,
    issuer: bytes = common_name("Issuer"),
    times: tuple[bytes, bytes] = (utc("250101000000Z"), utc("350101000000Z")),
    subject: bytes = common_name("host.example"),
    key: bytes = RSA,
    unique_identifiers: bytes = b"",
    extensions: tuple[bytes, ...] | None = None,
    signature: bytes = bits(bytes(256)),
) -> bytes:
    body = [
        *([] if version is None else [der(0xA0, integer(version))]),
        serial,
        algorithm,
        issuer,
        sequence(*times),
        subject,
        key,
        unique_identifiers,
        *([] if extensions is None else [der(0xA3, sequence(*extensions))]),
    ]
    return sequence(sequence(*body), algorithm, signature)


# --- the corpus ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class Odd:
    """octets: the certificate. told: {attribute: values} among those that it has. left_out: in the warning.

    readers: who reads it of OpenSSL and Java ("oj").
    """

    octets: bytes
    told: dict[str, list[object]] = field(default_factory=dict)
    left_out: str | None = None
    readers: str = "oj"


_SUBJECT = "CertificateSubject"


def _subject(text: str | bytes, tag: int, told: str | None, readers: str = "oj") -> Odd:
    """A certificate with this common name; told None: it is left out."""
    octets = certificate(subject=common_name(text, tag))
    if told is None:
        return Odd(octets, {f"{_SUBJECT}CN": []}, f"{_SUBJECT}CN", readers)
    return Odd(octets, {f"{_SUBJECT}CN": [told]}, None, readers)


def _key(key: bytes, algorithm: str | None, length: int | None, readers: str = "oj") -> Odd:
    return Odd(
        certificate(key=key),
        {
            "CryptographicAlgorithm": [] if algorithm is None else [algorithm],
            "CryptographicLength": [] if length is None else [length],
        },
        readers=readers,
    )


def _with(*extensions: bytes, left_out: str | None = None, readers: str = "oj") -> Odd:
    return Odd(certificate(extensions=extensions), {}, left_out, readers)


_ALTERNATIVES = "the alternative names in X_509CertificateSubject"
_HOST = {f"{_SUBJECT}CN": ["host.example"]}
_MANY = tuple(dns(f"host-{n:05}.example.com") for n in range(5000))

CORPUS: dict[str, Odd] = {
    "an ordinary one": Odd(certificate(), _HOST),
    # names
    "PrintableString with an asterisk": _subject("*.example.com", PRINTABLE, "*.example.com"),
    "PrintableString with an at sign": _subject("me@example.com", PRINTABLE, "me@example.com"),
    "PrintableString with an underscore": _subject("my_host", PRINTABLE, "my_host"),
    "PrintableString with an ampersand": _subject("Smith & Co", PRINTABLE, "Smith & Co"),
    "PrintableString with Latin-1": _subject(b"M\xfcller", PRINTABLE, None),
    "PrintableString with UTF-8": _subject("Müller", PRINTABLE, None),
    "T61String with Latin-1": _subject(b"M\xfcller", TELETEX, "Müller"),
    "T61String of Windows": _subject(b"\x80 100", TELETEX, None),
    "IA5String with Latin-1": _subject(b"M\xfcller", IA5, None),
    "IA5String": _subject("host.example", IA5, "host.example"),
    "VisibleString": _subject("host.example", VISIBLE, "host.example", "j"),
    "NumericString": _subject("0815 4711", NUMERIC, "0815 4711"),
    "NumericString with letters": _subject("A-1", NUMERIC, "A-1"),
    "BMPString": _subject("Jürgen 東京".encode("utf-16-be"), BMP, "Jürgen 東京"),
    "BMPString of odd length": _subject(b"\0J\0", BMP, None, "j"),
    "UniversalString": _subject("東京".encode("utf-32-be"), UNIVERSAL, "東京"),
    "UTF8String with emoji": _subject("🔑", UTF8, "🔑"),
    "UTF8String that is Latin-1": _subject(b"M\xfcller", UTF8, None, "j"),
    "a null character": _subject("bank.example\0.evil.example", UTF8, None),
    "a line feed": _subject("two\nlines", UTF8, "two\nlines"),
    "an empty value": _subject("", UTF8, ""),
    "a value that is a number": _subject(b"\x07", 2, None, "j"),
    "a string in parts": Odd(
        certificate(
            subject=name(sequence(oid(CN), der(0x2C, der(UTF8, b"host."), der(UTF8, b"example"))))
        ),
        _HOST,
    ),
    "postalAddress as a SEQUENCE": Odd(
        certificate(
            subject=name(
                sequence(oid(POSTAL), sequence(der(UTF8, b"Street 1"), der(UTF8, b"Town"))),
                part(CN, "host.example"),
            )
        ),
        _HOST,
    ),
    "a set out of order": Odd(
        certificate(
            subject=sequence(
                der(0x31, part(UID, "me"), part(CN, "host.example"), part(COUNTRY, "DE"))
            )
        ),
        {**_HOST, f"{_SUBJECT}UID": ["me"], f"{_SUBJECT}C": ["DE"]},
    ),
    "two common names in one set": Odd(
        certificate(subject=sequence(der(0x31, part(CN, "a"), part(CN, "b")))),
        {f"{_SUBJECT}CN": ["a", "b"]},
    ),
    "one name of two that is readable": Odd(
        certificate(
            subject=name(part(CN, b"M\xfcller"), part(CN, "Mueller"), part(ORGANIZATION, "Co"))
        ),
        {f"{_SUBJECT}CN": ["Mueller"], f"{_SUBJECT}O": ["Co"]},
        f"{_SUBJECT}CN",
        "j",
    ),
    "a country of three letters": Odd(
        certificate(subject=name(part(COUNTRY, "DEU", PRINTABLE))), {f"{_SUBJECT}C": ["DEU"]}
    ),
    "an e-mail address with UTF-8": Odd(
        certificate(subject=name(part(EMAIL, "jürgen@example.com", UTF8))),
        {f"{_SUBJECT}Email": ["jürgen@example.com"]},
    ),
    "an empty subject": Odd(certificate(subject=name()), {f"{_SUBJECT}CN": []}),
    "an empty issuer": Odd(certificate(issuer=name()), {"CertificateIssuerCN": []}, readers="o"),
    "a subject of SEQUENCEs": Odd(
        certificate(subject=sequence(sequence(part(CN, "host.example")))),
        {f"{_SUBJECT}CN": []},
        f"the {_SUBJECT} attributes",
        "",
    ),
    "a subject of 100 kB": Odd(
        certificate(subject=name(*(part(CN, f"host-{n:05}.example.com") for n in range(2500)))),
        {f"{_SUBJECT}CN": [], "X_509CertificateSubject": []},
        f"the {_SUBJECT} attributes",
    ),
    # times
    "UTCTime with an offset": Odd(
        certificate(times=(utc("250101000000+0100"), utc("350101000000-0500"))), _HOST
    ),
    "UTCTime without seconds": Odd(
        certificate(times=(utc("2501010000Z"), utc("3501010000Z"))), _HOST
    ),
    "GeneralizedTime before 2050": Odd(
        certificate(times=(generalized("20250101000000Z"), generalized("20350101000000Z"))), _HOST
    ),
    "GeneralizedTime with fractions": Odd(
        certificate(times=(generalized("20250101000000.5Z"), generalized("20350101000000.25Z")))
    ),
    "a year that never ends": Odd(
        certificate(times=(utc("250101000000Z"), generalized("99991231235959Z"))), _HOST
    ),
    "a time that is none": Odd(certificate(times=(utc("soon"), utc("later"))), _HOST, readers="o"),
    # numbers
    "a negative serial number": Odd(certificate(serial=integer(-4711)), _HOST),
    "the serial number zero": Odd(certificate(serial=integer(0)), _HOST),
    "a serial number of 21 octets": Odd(certificate(serial=integer(2**167)), _HOST),
    "a serial number of 600 octets": Odd(
        certificate(serial=integer(2**4800)),
        {"X_509CertificateIdentifier": []},
        "X_509CertificateIdentifier",
    ),
    "a serial number with needless zeros": Odd(certificate(serial=der(2, b"\0\0\1")), readers="j"),
    # versions
    "version 1": Odd(certificate(version=None), _HOST),
    "version 1, stated": Odd(certificate(version=0), _HOST),
    "version 1 with extensions": Odd(
        certificate(version=None, extensions=(names(dns("a.example")),)), _HOST, readers="o"
    ),
    "version 2 with unique identifiers": Odd(
        certificate(version=1, unique_identifiers=der(0x81, b"\0\1") + der(0x82, b"\0\2")), _HOST
    ),
    "version 9": Odd(certificate(version=8), _HOST),
    # extensions
    "an unknown critical extension": _with(extension("1.2.3.4", b"\1", critical=True)),
    "an extension twice": _with(*[extension(KEY_USAGE, der(3, b"\5\xa0"))] * 2, readers="o"),
    "alternative names twice": _with(
        names(dns("a.example")), names(dns("b.example")), left_out=_ALTERNATIVES, readers="o"
    ),
    "malformed alternative names": _with(
        extension(SAN, b"\x30\x05garbage"), left_out=_ALTERNATIVES
    ),
    "alternative names that are no SEQUENCE": _with(
        extension(SAN, der(4, b"x")), left_out=_ALTERNATIVES
    ),
    "no alternative names": _with(names()),
    "an IP address of odd length": _with(names(der(0x87, b"\x7f\0\0"))),
    "an alternative e-mail address with UTF-8": _with(names(der(0x81, "jürgen@a.de".encode()))),
    "an alternative name of a type that nobody knows": _with(names(der(0x9E, b"x"))),
    "alternative names with an asterisk": _with(names(dns("*.example.com"), dns("a b"))),
    "alternative names of 100 kB": _with(names(*_MANY), left_out=_ALTERNATIVES),
    "a malformed key identifier": _with(extension(AKI, b"\x30\x03\x80")),
    "a malformed key usage": _with(extension(KEY_USAGE, b"\1\2\3")),
    "an authority": _with(
        extension(BASIC_CONSTRAINTS, sequence(der(1, b"\xff")), critical=True),
        extension(KEY_USAGE, der(3, b"\1\x06"), critical=True),
    ),
    "a proxy": _with(
        extension(PROXY, sequence(sequence(oid("1.3.6.1.5.5.7.21.1"))), critical=True)
    ),
    "no extension in the list of them": _with(),
    # keys
    "RSA of 512 bits": _key(rsa_spki(512), "RSA", 512),
    "RSA of 16384 bits": _key(rsa_spki(16384), "RSA", 16384),
    "RSA with exponent 3": _key(rsa_spki(2048, 3), "RSA", 2048),
    "RSA-PSS": _key(rsa_spki(2048, algorithm=sequence(oid(_PSS))), "RSA", 2048),
    "RSA-PSS with parameters": _key(
        rsa_spki(2048, algorithm=sequence(oid(_PSS), _PSS_PARAMETERS)), "RSA", 2048
    ),
    "RSA without the NULL": _key(
        rsa_spki(2048, algorithm=sequence(oid("1.2.840.113549.1.1.1"))), "RSA", 2048
    ),
    "P-256": _key(_P256, "EC", 256),
    "P-256 with explicit parameters": _key(_explicit_curve(), "EC", 256, "o"),
    "Ed25519": _key(spki(ed25519.Ed25519PrivateKey.generate()), "Ed25519", 256),
    "X25519": _key(spki(x25519.X25519PrivateKey.generate()), "ECDH", 256),
    "DSA": _key(_dsa_key(), "DSA", 2048),
    "Diffie-Hellman": _key(_dh_key(), "DH", 2048),
    "a key of a type that is still to come": _key(
        sequence(sequence(oid("2.16.840.1.101.3.4.3.17")), bits(bytes(1312))), None, None
    ),
    "a key that is none": _key(
        sequence(sequence(oid("1.2.840.113549.1.1.1"), NULL), bits(b"x")), "RSA", None, "o"
    ),
    # Their length is told where the server knows the curve.
    "secp256k1": Odd(
        certificate(key=spki(ec.generate_private_key(ec.SECP256K1()))),
        {"CryptographicAlgorithm": ["EC"]},
    ),
    "brainpoolP256r1": Odd(
        certificate(key=spki(ec.generate_private_key(ec.BrainpoolP256R1()))),
        {"CryptographicAlgorithm": ["EC"]},
    ),
    "Ed448": Odd(
        certificate(key=spki(ed448.Ed448PrivateKey.generate())),
        {"CryptographicAlgorithm": ["Ed448"]},
    ),
    "X448": Odd(
        certificate(key=spki(x448.X448PrivateKey.generate())), {"CryptographicAlgorithm": ["ECDH"]}
    ),
    # signatures
    "signed with MD5": Odd(
        certificate(algorithm=sequence(oid("1.2.840.113549.1.1.4"), NULL)),
        {"DigitalSignatureAlgorithm": ["MD5WithRSAEncryption"]},
    ),
    "signed with SHA-1": Odd(
        certificate(algorithm=sequence(oid("1.2.840.113549.1.1.5"), NULL)),
        {"DigitalSignatureAlgorithm": ["SHA1WithRSAEncryption"]},
    ),
    "signed with RSA-PSS": Odd(
        certificate(algorithm=sequence(oid(_PSS), _PSS_PARAMETERS)),
        {"DigitalSignatureAlgorithm": ["RSASSAPSS"]},
    ),
    "signed with RSA-PSS without parameters": Odd(
        certificate(algorithm=sequence(oid(_PSS))), {"DigitalSignatureAlgorithm": ["RSASSAPSS"]}
    ),
    "signed in a way that nobody knows": Odd(
        certificate(algorithm=sequence(oid("1.2.3.4.5"))), {"DigitalSignatureAlgorithm": []}
    ),
    "an empty signature": Odd(certificate(signature=bits(b"")), _HOST),
    # encodings
    "lengths that are not the shortest": Odd(
        certificate(subject=long_form(0x30, long_form(0x31, part(CN, "host.example")))), _HOST
    ),
    "a subject whose end is marked": Odd(
        certificate(subject=endless(0x30, endless(0x31, part(CN, "host.example")))),
        _HOST,
        readers="o",
    ),
    "a certificate whose end is marked": Odd(endless(0x30, certificate()[4:]), _HOST),
    "a signature in parts": Odd(
        certificate(signature=endless(0x23, bits(b""), bits(bytes(256)))), _HOST, readers="o"
    ),
}
