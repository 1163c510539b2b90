"""The cases of KMIP 1.0, 1.2 and 1.4 that fail, and why.

A case that begins to pass is to be taken off. Those of 1.0 and 1.2 that end alike are one row.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

_NOT_OFFERED = "{} is not offered: nobody who speaks KMIP 1 in the field asks for it"
_TEMPLATES = "there are no Templates"
_ASYNCHRONOUS = "this server answers at once, never asynchronously"
_OTHER_SERVER = "the recorded answer tells of another server: {}"
_NEWEST_FIRST = "Locate gives the newest object first; the case needs {}"

#: Beginning of the file's name → why. The version stands for itself where it stands in the name.
_REASONS: Mapping[str, str] = {
    # --- operations and objects that are not here
    "TC_134_1": _NOT_OFFERED.format("Certify"),
    "TC_NP_": _NOT_OFFERED.format("Put"),
    "TC-NP-": _NOT_OFFERED.format("Put"),
    "TC_SJ_": _NOT_OFFERED.format("CreateSplitKey and JoinSplitKey"),
    "TC-SJ-": _NOT_OFFERED.format("CreateSplitKey and JoinSplitKey"),
    "TC_PGP_": "there are no PGP keys",
    "TC_MDO_": "a key without a KeyValue is not kept",
    "TC-MDO-": "a key without a KeyValue is not kept",
    "TC_312_1": _TEMPLATES,
    "TC_314_1": _TEMPLATES,
    "SASED_M_2_10": _TEMPLATES,
    "SASED_M_3_10": _TEMPLATES,  # it goes on where the one before has ended
    "TC_101_1": _ASYNCHRONOUS,
    "TC_32_1": _ASYNCHRONOUS,
    # --- what the policy of this server refuses
    "SKFF_O_1_10": "there is no SKIPJACK",
    "SKFF_O_2_10": "there is no SKIPJACK",
    "SKFF_O_3_10": "there is no SKIPJACK",
    "SKFF_O_4_10": "a 3DES key has three keys, not two",
    "SKFF_O_5_10": "a 3DES key has three keys, not two",
    "SKFF_O_6_10": "a 3DES key has three keys, not two",
    "TC_81_1": "RSA keys have 2048 bits or more",
    "TC_ECC_2_10_Register_an_ECC_Key_Pair_in_PKCS8_Format": "the PKCS#8 is encrypted, and no field has its password",
    "TC_ECC_2_12": "the PKCS#8 is encrypted, and no field has its password",
    "AKLC_O_": "the Digest goes when the key is destroyed, as it tells about the key",
    "AKLC-O-": "the Digest goes when the key is destroyed, as it tells about the key",
    "SKLC_O_": "the Digest goes when the key is destroyed, as it tells about the key",
    "SKLC-O-": "the Digest goes when the key is destroyed, as it tells about the key",
    "CS-RNG-O-1": "RNGSeed takes nothing of a seed",
    "CS-RNG-O-2": "RNGSeed takes nothing of a seed",
    "CS-RNG-O-4": "RNGSeed is not refused",
    "TC-RNG-ATTR": "Random Number Generator tells which one this server used: no client sets it",
    "TC_111_1": "over HTTP the token says who calls, and a Credential is refused",
    "TC_112_1": "over HTTP the token says who calls, and a Credential is refused",
    # --- what another server would do, too, but otherwise
    "TC_142_12": _OTHER_SERVER.format("it wraps no attributes and no TTLV, though both are asked for"),
    "TC_151_12": _NEWEST_FIRST.format("a group that the server fills by itself"),
    "TC_152_12": _NEWEST_FIRST.format("the oldest one that is fresh"),
    "TC_153_12": _NEWEST_FIRST.format("one after the other"),
    "TC_181_12": "the Digest is that of the octets, whatever the registered format",
    "TC_182_12": "the Digest is that of PKCS#1, whatever the registered format",
    "TC-REKEY-1-10": "a Name in the request takes the place of those that the new key would take over",
    "TC-STREAM-ENC": "an answer without data has an empty Data",
    "TC_122_12": _OTHER_SERVER.format("extensions"),
    "TC-Q-CAP": _OTHER_SERVER.format("capabilities"),
    "TC-Q-S2C": _OTHER_SERVER.format("capabilities"),
    "TC-Q-PROF": _OTHER_SERVER.format("profiles of KMIP 1, whose names are not those of KMIP 2.1"),
    # --- cases that no server passes as they stand
    "TC_92_10": "the recorded answer has another Deactivation Date than the request",
    "TC_92_12": "the case waits for two minutes between two messages",
    "TC_ECC_3_10": "the recorded answer has another private key than the request",
    "OMOS-O-1-14": "the recorded answer is one of KMIP 1.3 to a request of 1.4",
    "CS-BC-M-GCM-3-14_okms": "the recorded ciphertext is that of another nonce",
    "CS_BC_M_7_12": "the key is not made in the case",
    "TC-SK-CREATE-ENCRYPT-DECRYPT-DESTROY": "the key is used without having been activated",
}  # fmt: skip

_PASSES = {"TC_ECC_2_10_Register_an_ECC_Key_Pair_in_PKCS8_Format_Unencrypted"}


def reason_to_fail(path: Path) -> str | None:
    """Why the case fails; None where it passes."""
    if path.stem in _PASSES:
        return None
    matching = [reason for start, reason in _REASONS.items() if path.stem.startswith(start)]
    return matching[0] if matching else None


def unused_rows(paths: list[Path]) -> set[str]:
    """Rows that name no case."""
    return {start for start in _REASONS if not any(p.stem.startswith(start) for p in paths)}
