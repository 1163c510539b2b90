"""The faults of `planted_faults`: for each rule of the security model, lines that would break it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Fault:
    """A rule undone.

    rule: the group of faults, S1 to S9, that the rule answers (`RULES`). name: what the faulty server does.
    file: below kms_tornado. old: a part of one line, which occurs once in the file. new: what replaces it.
    tests: what must catch it, below tests: files, or single tests in files.
    """

    rule: str
    name: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]

    @property
    def path(self) -> Path:
        return Path("kms_tornado", self.file)

    def plant(self, source: str) -> str:
        """The source with the fault. Raises ValueError where the line is not there exactly once."""
        if source.count(self.old) != 1:
            raise ValueError(
                f"{self.path}: not once, but {source.count(self.old)} times: {self.old}"
            )
        return source.replace(self.old, self.new)


RULES = {
    "S1": "no nonce twice with a key, whoever made it",
    "S2": "nothing that others see determines a key",
    "S3": "an edited row is refused",
    "S4": "what a key may do, and nothing else gives the same bytes",
    "S5": "a name means the caller's own object",
    "S6": "a key's parameters bind",
    "S7": "what leaves wrapped keeps its rights",
    "S8": "limits, dates and names",
    "S9": "the process shows its secrets to nobody",
}

FAULTS: tuple[Fault, ...] = (
    # --- S1: nonces -------------------------------------------------------------------------------
    Fault(
        "S1",
        "who may only encrypt brings nonces",
        "operations/common/encryption_plan.py",
        "recorded_nonce is not None or _reveals_other_modes",
        "_reveals_other_modes",
        ("operations/test_nonces.py",),
    ),
    Fault(
        "S1",
        "who may only encrypt chooses CBC and ECB",
        "operations/common/encryption_plan.py",
        "recorded_nonce is not None or _reveals_other_modes(suite, attributes)",
        "recorded_nonce is not None",
        (
            "operations/common/test_encryption_plan.py",
            "operations/test_nonces.py",
        ),
    ),
    Fault(
        "S1",
        "who may only decrypt makes key streams",
        "operations/common/encryption_plan.py",
        "suite, iv, aad, suite.is_key_stream",
        "suite, iv, aad, False",
        (
            "operations/common/test_encryption_plan.py",
            "operations/test_nonces.py",
        ),
    ),
    Fault(
        "S1",
        "a caller brings nonces to a key of the server's",
        "domain/nonces.py",
        "if fixed not in (None, _CALLER)",
        "if fixed is NotImplemented",
        ("domain/test_nonces.py",),
    ),
    Fault(
        "S1",
        "the server makes nonces for a key of the callers'",
        "domain/nonces.py",
        "if fixed == _CALLER",
        "if fixed is NotImplemented",
        ("domain/test_nonces.py",),
    ),
    Fault(
        "S1",
        "the server makes any number of nonces",
        "domain/nonces.py",
        "if after > MAX_SERVER_NONCES",
        "if after > 2 * MAX_SERVER_NONCES",
        ("domain/test_nonces.py",),
    ),
    # --- S2: digests ------------------------------------------------------------------------------
    Fault(
        "S2",
        "a digest of a secret is told with its attributes",
        "operations/objects/digests.py",
        "in target.tags or not await _may_read(call, target)",
        "in target.tags",
        ("operations/objects/test_digests.py",),
    ),
    Fault(
        "S2",
        "the digest of a Sensitive key is told",
        "operations/objects/digests.py",
        "if attributes.sensitive or attributes.extractable is False",
        "if attributes.extractable is None",
        ("operations/objects/test_digests.py",),
    ),
    Fault(
        "S2",
        "a digest outlives Destroy",
        "operations/lifecycle.py",
        "last_change_date=call.now, digests=()",
        "last_change_date=call.now",
        ("operations/objects/test_digests.py",),
    ),
    Fault(
        "S2",
        "the digest of a private key is stored",
        "operations/objects/incoming.py",
        "digests=() if isinstance(key, PrivateNumbers) else",
        "digests=() if key is None else",
        ("operations/objects/test_digests.py",),
    ),
    Fault(
        "S2",
        "derivation by a plain hash is offered in conservative",
        "crypto/policy.py",
        'Technique.DERIVATION_BY_HASH: _refuse_both_uses("the hash of a key is no secret elsewhere")',
        "Technique.DERIVATION_BY_HASH: _ALLOWED",
        ("crypto/test_policy.py",),
    ),
    # --- S3: rows ---------------------------------------------------------------------------------
    Fault(
        "S3",
        "a row's code is not compared",
        "store/sql/row_macs.py",
        "if compare_digest(self._mac(_encode_object(row)), mac)",
        "if compare_digest(mac, mac)",
        (
            "store/sql/test_row_macs.py",
            "operations/test_tampering.py",
        ),
    ),
    Fault(
        "S3",
        "the state is not under the code",
        "store/sql/row_macs.py",
        "(*lengths, *row[:_DIGEST])",
        "(*lengths, row[0], 0, *row[2:_DIGEST])",
        ("store/sql/test_row_macs.py",),
    ),
    Fault(
        "S3",
        "the source of the nonces is not under the code",
        "store/sql/row_macs.py",
        "*row[:_DIGEST])).encode()",
        "*row[:6], 0, *row[7:_DIGEST])).encode()",
        ("store/sql/test_row_macs.py",),
    ),
    Fault(
        "S3",
        "the grants are not under the code",
        "store/sql/row_macs.py",
        "lengths, *row[:_DIGEST])).encode() + (digest",
        "lengths, *row[: _DIGEST - 1], '')).encode() + (digest",
        ("store/sql/test_row_macs.py",),
    ),
    Fault(
        "S3",
        "a text may reach into the next",
        "store/sql/row_macs.py",
        "lengths = len(uid), len(owner), ",
        "lengths = len(uid + owner), 0, ",
        ("store/sql/test_row_macs.py",),
    ),
    Fault(
        "S3",
        "sealed material of another time is taken",
        "store/sql/rows.py",
        "if digest_sealed(sealed) != row[_DIGEST]",
        "if digest_sealed(sealed) is NotImplemented",
        ("operations/test_tampering.py",),
    ),
    Fault(
        "S3",
        "columns beside the attributes are not compared",
        "store/sql/rows.py",
        "if derived is not None and derived != columns",
        "if derived is NotImplemented",
        ("operations/test_tampering.py",),
    ),
    Fault(
        "S3",
        "a change gives an edited row a code",
        "store/sql/rows.py",
        "    authenticator.check_object(row, row[_MAC])",
        "    pass",
        (
            "store/sql/test_changes.py",
            "operations/test_tampering.py",
        ),
    ),
    Fault(
        "S3",
        "rights come from the index and not from the row",
        "store/sql/store.py",
        "check_index_rows(uid, row[GRANTS], principal,",
        "(lambda *_: None)(uid, row[GRANTS], principal,",
        (
            "operations/test_tampering.py",
            "store/sql/test_grants.py",
        ),
    ),
    Fault(
        "S3",
        "anybody has every right that somebody has",
        "store/sql/store.py",
        "if rights_of(row[GRANTS], principal).intersection(rights)",
        "if row[GRANTS]",
        (
            "store/sql/test_grants.py",
            "operations/test_access.py",
        ),
    ),
    Fault(
        "S3",
        "an edited number of objects is believed",
        "store/sql/owners.py",
        '    authenticator.check_row(f"the count',
        '    authenticator.row_mac(f"the count',
        ("operations/test_tampering.py",),
    ),
    Fault(
        "S3",
        "sealed material is not bound to its version",
        "crypto/envelope.py",
        "_NUMBERS.pack(context.object_type, context.version)",
        "_NUMBERS.pack(context.object_type, 0)",
        ("crypto/test_envelope.py",),
    ),
    Fault(
        "S3",
        "rows by which objects are found are not compared",
        "store/sql/index_check.py",
        "if present != expected",
        "if present is NotImplemented",
        ("operations/test_tampering.py",),
    ),
    Fault(
        "S3",
        "an edited tombstone is believed",
        "store/sql/tombstones.py",
        'authenticator.check_row(f"the removed object',
        'authenticator.row_mac(f"the removed object',
        ("operations/test_tampering.py",),
    ),
    # --- S4: uses of a key ------------------------------------------------------------------------
    Fault(
        "S4",
        "a key without a mask may do everything",
        "domain/usage.py",
        "return 0 if algorithm is None else _DEFAULT_MASKS.get((object_type, algorithm), 0)",
        "return _UNRESTRICTED",
        ("domain/test_usage.py",),
    ),
    Fault(
        "S4",
        "the usage mask is ignored",
        "domain/usage.py",
        "if usage_mask_of(target) & (int(needed) | _UNRESTRICTED)",
        "if usage_mask_of(target) or needed",
        ("domain/test_usage.py",),
    ),
    Fault(
        "S4",
        "no operation asks for the usage mask",
        "operations/common/call.py",
        "        check_usage_mask(target, needed)",
        "        pass",
        ("operations/test_encryption.py",),
    ),
    # --- S5: names --------------------------------------------------------------------------------
    Fault(
        "S5",
        "a tag list falls through to others' objects",
        "operations/common/call.py",
        "        if best is not None:",
        "        if best is not None and use.is_allowed_in(state_at(best, self.now)):",
        ("operations/test_names.py",),
    ),
    Fault(
        "S5",
        "a tag list falls through from destroyed objects",
        "operations/common/call.py",
        'raise ItemNotFound("your only objects with these tags are destroyed")',
        "pass",
        ("operations/test_names.py",),
    ),
    Fault(
        "S5",
        "a tag list means what is granted to everybody",
        "store/sql/search.py",
        "_search_granted(tags, conditions, serials_of_rights_by_name)",
        "_search_granted(tags, conditions, serials_for_everyone)",
        ("operations/test_names.py",),
    ),
    Fault(
        "S5",
        "the placeholder means what is granted to everybody",
        "domain/search.py",
        "for standing in (Standing.OWN, Standing.GRANTED_BY_NAME)",
        "for standing in Standing",
        ("operations/test_names.py",),
    ),
    Fault(
        "S5",
        "Locate lists the newest first, whosever they are",
        "store/sql/search.py",
        "(created_at - write_constant(standing * _APART))",
        "(created_at - write_constant(0))",
        (
            "operations/test_names.py",
            "store/sql/test_grants.py",
        ),
    ),
    Fault(
        "S5",
        "a removed identifier is anybody's",
        "store/sql/tombstones.py",
        "if owner != owners[uid]",
        "if not owners[uid]",
        ("operations/test_import.py",),
    ),
    # --- S6: a key's parameters -------------------------------------------------------------------
    Fault(
        "S6",
        "a request changes what the key's parameters set",
        "domain/key_parameters.py",
        "if other is not None and not _is_same(field, value, other)",
        "if False",
        ("domain/test_key_parameters.py",),
    ),
    Fault(
        "S6",
        "a request's parameters replace the key's",
        "domain/key_parameters.py",
        "if own is None or own == requested",
        "if own is None or requested is not None",
        ("domain/test_key_parameters.py",),
    ),
    Fault(
        "S6",
        "a grantee changes the key's parameters",
        "domain/attribute_rules.py",
        '"cryptographic_parameters": _FREE',
        '"cryptographic_parameters": _DESCRIPTIVE',
        ("operations/test_attributes_of_others.py",),
    ),
    # --- S7: wrapping -----------------------------------------------------------------------------
    Fault(
        "S7",
        "a Sensitive object leaves under a key of anybody's",
        "operations/objects/wrapping_policy.py",
        "or {wrapping_key.target.owner, unwrapping_key.owner} != {key.target.owner}",
        "or not key",
        ("operations/objects/test_wrapped_rights.py",),
    ),
    Fault(
        "S7",
        "a Sensitive object leaves without its rights",
        "operations/objects/wrapping_policy.py",
        "if specification.encoding_option is EncodingOption.NO_ENCODING",
        "if specification.encoding_option is NotImplemented",
        ("operations/objects/test_wrapped_rights.py",),
    ),
    Fault(
        "S7",
        "rights that come back do not bind",
        "operations/register.py",
        "requested = bind_rights(requested, unwrapped.rights)",
        "bind_rights(requested, unwrapped.rights)",
        ("operations/objects/test_wrapped_rights.py",),
    ),
    Fault(
        "S7",
        "anybody brings a Sensitive object back",
        "domain/wrapped_rights.py",
        "if rights.owner != owner",
        "if rights.owner is NotImplemented",
        ("domain/test_wrapped_rights.py",),
    ),
    Fault(
        "S7",
        "a request strips the rights from the key",
        "operations/objects/wrapping.py",
        "if isinstance(value, EncodedKeyValue) or is_encoded_key_value(plain)",
        "if isinstance(value, EncodedKeyValue)",
        ("operations/objects/test_wrapped_rights.py",),
    ),
    Fault(
        "S7",
        "usage limits begin anew when a key comes back",
        "domain/wrapped_rights.py",
        'values["usage_limits"] = bound.usage_limits',
        "bound.usage_limits",
        (
            "domain/test_wrapped_rights.py",
            "operations/objects/test_wrapped_rights.py",
        ),
    ),
    Fault(
        "S7",
        "a public key leads to another owner's private key",
        "operations/objects/wrapping_policy.py",
        "return private if private.owner == public.owner else None",
        "return private",
        ("operations/test_names.py",),
    ),
    # --- S8: limits and names ---------------------------------------------------------------------
    Fault(
        "S8",
        "additional data does not count for the usage limit",
        "operations/encryption.py",
        "len(data) + len(plan.aad), *",
        "len(data), *",
        ("operations/test_usage_limits.py",),
    ),
    Fault(
        "S8",
        "additional data of a stream does not count",
        "operations/common/key_use.py",
        "protected_bytes += len(aad)",
        "protected_bytes += 0",
        ("operations/test_usage_limits.py",),
    ),
    Fault(
        "S8",
        "an empty message costs nothing",
        "domain/usage.py",
        "max(1, size)",
        "size",
        ("domain/test_usage.py",),
    ),
    Fault(
        "S8",
        "format characters are allowed in names",
        "user_names.py",
        '"Cc", "Cf", ',
        '"Cc", ',
        ("test_user_names.py",),
    ),
    Fault(
        "S8",
        "outer spaces are allowed in names",
        "user_names.py",
        "if name != name.strip()",
        "if not name.strip()",
        ("test_user_names.py",),
    ),
    Fault(
        "S8",
        "names need not be in NFC",
        "user_names.py",
        'is_normalized("NFC", name)',
        'is_normalized("NFC", "")',
        ("test_user_names.py",),
    ),
    Fault(
        "S8",
        "a token names everybody",
        "user_names.py",
        "if name == EVERYONE",
        "if name is NotImplemented",
        ("test_user_names.py",),
    ),
    Fault(
        "S8",
        "a token's user claim is not checked",
        "auth/claims.py",
        "if fault := find_name_fault(name)",
        "if fault := None",
        ("auth/test_claims.py",),
    ),
    Fault(
        "S8",
        "any name is granted to",
        "domain/access.py",
        "if user != EVERYONE and (fault",
        "if not user and (fault",
        ("domain/test_access.py",),
    ),
    Fault(
        "S8",
        "who may set attributes revokes by a date",
        "domain/attribute_rules.py",
        "return _RIGHT_TO_EARLIER[rule.grantees]",
        "return None",
        ("operations/test_attributes_of_others.py",),
    ),
    Fault(
        "S8",
        "a grantee makes a key not Extractable",
        "domain/attribute_rules.py",
        'create=True, add=True, modify=True, when=_make_tightening_check(False, "extractable")',
        "create=True, add=True, modify=True, grantees=Grantees.EVERYTHING",
        ("operations/test_attributes_of_others.py",),
    ),
    Fault(
        "S8",
        "a grantee changes the owner's tags",
        "domain/attribute_rules.py",
        "is Grantees.EVERYTHING and vendor != TAG_VENDOR",
        "is Grantees.EVERYTHING",
        ("operations/test_attributes_of_others.py",),
    ),
    Fault(
        "S8",
        "Locate compares the attributes of all that it finds",
        "store/sql/search_filter.py",
        "return self.states is not None or any(",
        "return self.states is NotImplemented and any(",
        ("operations/test_names.py",),
    ),
    # --- S9: the process --------------------------------------------------------------------------
    Fault(
        "S9",
        "the master key stays in the environment",
        "web/process/hardening.py",
        "del os.environ[name]",
        "pass",
        ("web/process/test_hardening.py",),
    ),
    Fault(
        "S9",
        "the master key stays in /proc/PID/environ",
        "web/process/hardening.py",
        "ctypes.memset(position + len(name) + 1, 0, len(value))",
        "pass",
        ("web/process/test_hardening.py",),
    ),
    Fault(
        "S9",
        "processes are dumpable",
        "web/process/hardening.py",
        "prctl(_PR_SET_DUMPABLE, 0, ",
        "prctl(_PR_SET_DUMPABLE, 1, ",
        ("web/process/test_hardening.py",),
    ),
    Fault(
        "S9",
        "the command does not harden its process",
        "__main__.py",
        "    harden_process()",
        "    pass",
        ("web/process/test_hardening.py",),
    ),
)
