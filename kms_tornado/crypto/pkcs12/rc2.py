"""RC2 in CBC (RFC 2268), to read old PKCS#12 files: with 40 bits it encrypts the certificates of most of them.

Decryption only. The library has RC2 with 128 bits alone.
"""

from __future__ import annotations

from itertools import pairwise

BLOCK_BYTES = 8

#: RFC 2268 §2: the digits of pi, as a permutation of the bytes.
_PI = bytes.fromhex(
    "d978f9c419ddb5ed28e9fd794aa0d89dc67e37832b76538e624c6488448bfba2"
    "179a59f587b34f1361456d8d09817d32bd8f40eb86b77b0bf09521225c6b4e82"
    "54d66593ce60b21c7356c014a78cf1dc1275ca1f3bbee4d1423dd430a33cb626"
    "6fbf0eda4669075727f21d9bbc944303f811c7f690ef3ee706c3d52fc8661ed7"
    "08e8eade8052eef784aa72ac354d6a2a961ad2715a1549744b9fd05e0418a4ec"
    "c2e0416e0f51cbcc2491af50a1f47039997c3a8523b8b47afc02365b25559731"
    "2d5dfa98e38a92ae05df2910676cbac9d300e6cfe19ea82c6316013f58e289a9"
    "0d38341bab33ffb0bb480c5fb9b1cd2ec5f3db47e5a59c770aa62068fe7fc1ad"
)
_ROTATIONS = (1, 2, 3, 5)


def decrypt_rc2_cbc(key: bytes, iv: bytes, ciphertext: bytes) -> bytes:
    """The plaintext with its padding. key: its length is the strength. ciphertext: whole blocks."""
    words = _expand_key(key)
    blocks = [ciphertext[at : at + BLOCK_BYTES] for at in range(0, len(ciphertext), BLOCK_BYTES)]
    return b"".join(
        bytes(
            left ^ right for left, right in zip(_decrypt_block(words, block), before, strict=True)
        )
        for before, block in pairwise((iv, *blocks))
    )


def _expand_key(key: bytes) -> list[int]:
    """The 64 words of RFC 2268 §2, for a key as strong as it is long."""
    octets = bytearray(key)
    while len(octets) < 128:
        octets.append(_PI[(octets[-1] + octets[-len(key)]) & 0xFF])
    octets[128 - len(key)] = _PI[octets[128 - len(key)]]
    for at in range(127 - len(key), -1, -1):
        octets[at] = _PI[octets[at + 1] ^ octets[at + len(key)]]
    return [octets[at] | octets[at + 1] << 8 for at in range(0, 128, 2)]


def _decrypt_block(words: list[int], block: bytes) -> bytes:
    """RFC 2268 §4: five mixing rounds, a mashing one, six, a mashing one, five, all backwards."""
    state = [int.from_bytes(block[at : at + 2], "little") for at in range(0, 8, 2)]
    for number in range(15, -1, -1):
        for at in (3, 2, 1, 0):
            shift = _ROTATIONS[at]
            word = (state[at] >> shift | state[at] << 16 - shift) & 0xFFFF
            one, two, three = state[at - 1], state[at - 2], state[at - 3]
            state[at] = (
                word - words[4 * number + at] - (one & two) - (~one & three & 0xFFFF)
            ) & 0xFFFF
        if number in {11, 5}:
            for at in (3, 2, 1, 0):
                state[at] = (state[at] - words[state[at - 1] & 63]) & 0xFFFF
    return b"".join(word.to_bytes(2, "little") for word in state)
