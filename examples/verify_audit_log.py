"""Verifies an exported audit of kms_tornado with nothing but the public key: docs/audit-format.md says how.

    kms-tornado audit export > audit.jsonl
    python verify_audit_log.py --key audit.key.pub [--anchor audit-anchor.json] audit.jsonl

--log: they are files of --audit-log, all of one database, the older ones first. --signed-only: a record that
no checkpoint covers is a fault.
Exit code 0: all is well. 1: something was changed; lines say what. 2: it cannot be verified.
"""

import argparse
import base64
import json
import sys
from hashlib import sha256
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization

CONTEXT = b"kms_tornado audit checkpoint 1\n"
SPKI = serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
IS_CHECKPOINT = b'{"chains":'  # how every checkpoint begins, and no record
tell = (FAULTS := {}).setdefault  # text → None


def read_lines(files, are_checkpoints):
    for file in files:
        with open(file, "rb") as stream:
            for number, line in enumerate(stream, 1):
                if line.strip() and line.startswith(IS_CHECKPOINT) == are_checkpoints:
                    yield f"{file} line {number}", line.rstrip(b"\n")


def parse_checkpoint(place, line, keys):
    """Its members; None, and a fault, where it does not count."""
    try:
        members = json.loads(line)
        number, signature = members["checkpoint"], members.pop("signature")
        if members["v"] != 1 or {
            type(n) for c, s, _ in members["chains"] for n in (c, s, number)
        } != {int}:
            raise ValueError
        if members["key"] not in keys:
            return tell(f"checkpoint {number} is signed by a key that was not given")
        text = json.dumps(members, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
        signature = base64.urlsafe_b64decode(signature + "=" * (-len(signature) % 4))
        keys[members["key"]].verify(signature, CONTEXT + text.encode())
    except InvalidSignature:
        return tell(f"the signature of checkpoint {number} is wrong")
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return tell(f"{place} is no checkpoint of version 1: it was cut or edited")
    return members


def verify_checkpoints(files, keys, anchors, is_log):
    """Returns ({chain: {number of a record: its hash}}, the number of checkpoints that count)."""
    parsed = (
        (line, parse_checkpoint(place, line, keys)) for place, line in read_lines(files, True)
    )
    if is_log:  # processes write side by side
        parsed = sorted(
            (each for each in parsed if each[1]), key=lambda each: each[1]["checkpoint"]
        )
    missing = {
        line: parse_checkpoint(place, line, keys) for place, line in read_lines(anchors, True)
    }
    if not all(any(read_lines([anchor], True)) for anchor in anchors):
        raise ValueError("an anchor has no checkpoint")
    heads, count, last, before, database = {}, 0, 0, None, None
    for line, members in parsed:
        if members is not None:
            number, count = members["checkpoint"], count + 1
            # A log may lack checkpoints, its first ones or, where an older database was accepted, others.
            may_skip = is_log and (number > last + 1 or "rollback" in members)
            if members["previous"] != before and not may_skip:
                tell(f"the checkpoint before {number} is gone, or another one than it names")
            if members["database"] != (database := database or members["database"]):
                tell(f"checkpoint {number} is of another database")
            for chain, seq, text in members["chains"]:
                heads.setdefault(chain, {})[seq] = text
            accepted, last = members.get("rollback", 0), number
            missing = {
                one: its for one, its in missing.items() if its and its["checkpoint"] > accepted
            }
        missing.pop(line, None)
        before = sha256(line).hexdigest()
    for anchor in filter(None, missing.values()):
        tell(f"checkpoint {anchor['checkpoint']} is not here, which the anchor names")
    return heads, count


def verify_records(lines, heads, is_log, signed_only):
    """lines: as of `read_lines`; a log may begin anywhere. Returns how many records there are."""
    # chain → (number, hash) of its last record; and of one that does not name the one before it
    ends, doubts, count = {}, {}, 0

    def settle(chain, prev):  # the earlier one was edited, unless what follows names another hash
        seq, text = doubts.pop(chain, (0, ""))
        if seq:
            edited = seq if seq == 1 or prev not in (None, text) else seq - 1
            tell(f"record {chain}/{edited} was edited: its hash is not the one that others name")

    for place, line in lines:
        count += 1
        try:
            record = json.loads(line)
            chain, seq, prev = record["chain"], record["seq"], record["prev"]
            if record["v"] != 1 or type(chain) is not int or type(seq) is not int:
                raise ValueError
        except (ValueError, KeyError, TypeError, RecursionError):
            tell(f"{place} is no record of version 1: it was cut or edited")
            continue
        last, before = ends.get(chain, (seq - 1, prev) if is_log else (0, "0" * 64))
        if seq <= last:
            tell(f"record {chain}/{seq} stands again, or elsewhere than it did ({place})")
            continue
        settle(chain, prev)
        text = sha256(line).hexdigest()
        if seq > last + 1:
            tell(f"records are gone, or stand elsewhere: {chain}/{last + 1} to {chain}/{seq - 1}")
        elif prev != before:
            doubts[chain] = seq, text
        if heads.get(chain, {}).get(seq, text) != text:
            tell(f"record {chain}/{seq} is another one than a checkpoint names")
        ends[chain] = seq, text
    for chain in sorted({*heads, *ends}):
        settle(chain, None)
        named, end = heads.get(chain, {0: ""}), ends.get(chain, (0, ""))[0]
        if max(named) > end and (
            not is_log or end or len(named) > 1
        ):  # or nobody continued it meanwhile
            tell(
                f"chain {chain} is cut behind {chain}/{end}: a checkpoint names {chain}/{max(named)}"
            )
        if end > max(named):
            (tell if signed_only else print)(
                f"no checkpoint covers {chain}/{max(named) + 1} to {chain}/{end}"
            )
    return count


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("--key", action="append", required=True)
    parser.add_argument("--anchor", action="append", default=[])
    for switch in ("--log", "--signed-only"):
        parser.add_argument(switch, action="store_true")
    parser.add_argument("files", nargs="+")
    given, keys = parser.parse_args(), {}  # fingerprint → key
    for file in given.key:
        for pem in Path(file).read_bytes().split(b"-----BEGIN ")[1:] or [b""]:  # one or several
            key = serialization.load_pem_public_key(b"-----BEGIN " + pem)
            keys[sha256(key.public_bytes(*SPKI)).hexdigest()] = key
    heads, checkpoints = verify_checkpoints(given.files, keys, given.anchor, given.log)
    count = verify_records(read_lines(given.files, False), heads, given.log, given.signed_only)
    print(
        *FAULTS or ["all is well" if checkpoints else "nothing is signed, as in a selection"],
        sep="\n",
    )
    print(f"{count} records, {checkpoints} checkpoints")
    return 2 if not checkpoints else 1 if FAULTS else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (OSError, ValueError) as exc:
        print(f"it cannot be verified: {exc}")
        sys.exit(2)
