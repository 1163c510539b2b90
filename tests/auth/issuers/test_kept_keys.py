"""The file from which a restart has an issuer's keys: what is used of it, and what is not."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import hashlib
import json
import logging
import multiprocessing
import os
import resource
import signal
import stat
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kms_tornado.auth.issuers import kept_keys
from kms_tornado.auth.issuers.issuer import TrustedIssuer
from kms_tornado.auth.issuers.kept_keys import KeptKeys
from kms_tornado.auth.issuers.keyset import KeySet, parse_document
from kms_tornado.errors import KeySetError

from ...keys import b64, certificate, jwk, private_key
from ..samples import ISSUER

DOCUMENT = json.dumps({"keys": [jwk("ES256", "a")]}).encode()
OTHER = json.dumps({"keys": [jwk("ES256", "b", "other")]}).encode()
EMPTY = b'{"keys": []}'


def code_with(key: bytes) -> Callable[[bytes], bytes]:
    return lambda message: hashlib.blake2b(message, key=key, digest_size=32).digest()


def kept(directory: Path, now: float = 1000.0, **changes: Any) -> KeptKeys:
    issuer = TrustedIssuer(changes.pop("issuer", ISSUER), changes.pop("jwks_uri", None))
    arguments = {"max_age_s": 100.0, "now": lambda: now, **changes}
    return KeptKeys(directory, arguments.pop("code", code_with(b"key")), issuer, **arguments)


def parsed(document: bytes) -> KeySet:
    content = parse_document(document)
    assert isinstance(content, KeySet)
    return content


def save(place: KeptKeys, document: bytes = DOCUMENT, fetched_at: float = 1000.0) -> None:
    place.save(document, parsed(document), fetched_at)


def fingerprint(place: KeptKeys) -> str | None:
    found = place.load()
    return None if found is None else found[0].fingerprint


@pytest.mark.parametrize("document", [DOCUMENT, EMPTY, b"\xef\xbb\xbf" + DOCUMENT + b"\n\n"])
def test_what_was_kept_is_loaded_with_its_age_and_belongs_to_us_alone(
    tmp_path: Path, document: bytes
) -> None:
    directory = tmp_path / "issuer-keys"
    save(kept(directory), document)
    found = kept(directory, now=1040.0).load()
    assert found is not None
    assert (found[0].fingerprint, found[1]) == (parsed(document).fingerprint, 40)
    file = kept(directory).file
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    assert {path.suffix for path in directory.iterdir()} == {".keys", ".lock"}


def test_without_a_file_nothing_is_loaded_and_nothing_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert kept(tmp_path).load() is None
    assert kept(tmp_path / "missing").load() is None
    assert caplog.records == []


def edit(old: bytes, new: bytes) -> Callable[[Path], None]:
    def change(file: Path) -> None:
        content = file.read_bytes()
        assert old in content
        file.write_bytes(content.replace(old, new))

    return change


def cut(length: int) -> Callable[[Path], None]:
    return lambda file: file.write_bytes(file.read_bytes()[:length]) and None


def replace_by(make: Callable[[Path], Any]) -> Callable[[Path], None]:
    def change(file: Path) -> None:
        file.unlink()
        make(file)

    return change


def put_another_issuers_there(file: Path) -> None:
    place = kept(file.parent, issuer="https://other.example/")
    save(place)
    place.file.rename(file)


CODE = "its code does not match"
FAULTS = [
    pytest.param(edit(b'"kid": "a"', b'"kid": "b"'), {}, CODE, id="a key edited"),
    pytest.param(edit(b"1000.0", b"1050.0"), {}, CODE, id="the time edited"),
    pytest.param(edit(b"issuer.example", b"issuer.invalid"), {}, CODE, id="the issuer edited"),
    pytest.param(edit(b"null", b'"https://e.example/"'), {}, CODE, id="the URI edited"),
    pytest.param(lambda file: file.write_bytes(file.read_bytes() + b" "), {}, CODE, id="a byte more"),
    pytest.param(cut(-1), {}, CODE, id="a byte less"),
    pytest.param(cut(64), {}, CODE, id="nothing but the code"),
    pytest.param(cut(0), {}, CODE, id="empty"),
    pytest.param(lambda file: file.write_bytes(b" " * 3_000_000), {}, "larger than", id="huge"),
    pytest.param(lambda file: file.write_bytes(b"\xff\n{}\n"), {}, CODE, id="rubbish"),
    pytest.param(None, {"code": code_with(b"new")}, CODE, id="another master key"),
    pytest.param(put_another_issuers_there, {}, "another issuer's", id="another issuer's file"),
    pytest.param(None, {"jwks_uri": "https://e.example/k"}, "another key set URI", id="another URI"),
    pytest.param(None, {"now": 1100.5}, "fetched 100 s ago, and the maximum staleness is 100 s", id="too old"),
    pytest.param(None, {"max_age_s": 0.0, "now": 1000.1}, "maximum staleness is 0 s", id="nothing stale wanted"),
    pytest.param(None, {"now": 999.9}, "in the future", id="the clock was set back"),
    pytest.param(replace_by(Path.mkdir), {}, "Is a directory", id="a directory"),
    pytest.param(replace_by(os.mkfifo), {}, "not a regular file", id="a pipe"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "arguments", "words"), FAULTS)
def test_a_file_that_is_not_ours_or_not_of_now_is_not_used_and_the_log_says_why(
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    change: Callable[[Path], Any] | None,
    arguments: dict[str, Any],
    words: str,
) -> None:
    save(kept(tmp_path))
    if change is not None:
        change(kept(tmp_path).file)
    assert kept(tmp_path, **arguments).load() is None
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert words in record.getMessage()
    assert ISSUER in record.getMessage()


def test_kept_keys_pass_the_same_checks_as_fetched_ones(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A later version of the server may refuse what this one accepts."""
    small = {**jwk("RS256", "small"), "n": b64(b"\xc5" * 64)}
    for document, words in [
        (json.dumps({"keys": [small]}).encode(), "no usable key"),
        (b"{}", "neither a key set"),
        (b'{"issuer": "i", "jwks_uri": "https://e.example/"}', "no key set"),
    ]:
        caplog.clear()
        kept(tmp_path).save(document, parsed(EMPTY), 1000.0)
        assert kept(tmp_path).load() is None
        assert words in caplog.text


# --- what replaces it -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("first", "second", "stays"),
    [
        pytest.param(900.0, 950.0, OTHER, id="later"),
        pytest.param(950.0, 900.0, DOCUMENT, id="earlier: another worker was faster"),
        pytest.param(950.0, 950.0, OTHER, id="at the same time"),
        pytest.param(2000.0, 950.0, OTHER, id="after the clock was set back"),
        pytest.param(800.0, 950.0, OTHER, id="after one that was too old"),
    ],
)
def test_the_keys_that_were_fetched_last_stay(
    tmp_path: Path, first: float, second: float, stays: bytes
) -> None:
    save(kept(tmp_path), DOCUMENT, first)
    save(kept(tmp_path), OTHER, second)
    assert fingerprint(kept(tmp_path)) == parsed(stays).fingerprint


def test_an_edited_file_is_replaced(tmp_path: Path) -> None:
    save(kept(tmp_path))
    edit(b"1000.0", b"1001.0")(kept(tmp_path).file)
    save(kept(tmp_path), OTHER, 999.0)
    assert fingerprint(kept(tmp_path)) == parsed(OTHER).fingerprint


@pytest.mark.parametrize(("new", "stays"), [(DOCUMENT, True), (OTHER, False), (EMPTY, False)])
def test_on_a_full_disk_no_key_stays_that_the_issuer_has_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, new: bytes, stays: bool
) -> None:
    place = kept(tmp_path)
    save(place, DOCUMENT, 900.0)
    real = os.fsync

    def fail(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="No space left"):
        save(place, new)
    monkeypatch.setattr(os, "fsync", real)
    assert (fingerprint(place) is not None) is stays
    assert not place.file.with_suffix(".draft").exists()


BOTH = json.dumps({"keys": [jwk("ES256", "a"), jwk("ES256", "b", "other")]}).encode()


@pytest.mark.parametrize(("new", "stays"), [(DOCUMENT, True), (OTHER, False), (EMPTY, False)])
def test_a_lock_that_is_never_released_ends_soon_and_keeps_no_removed_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, new: bytes, stays: bool
) -> None:
    monkeypatch.setattr(kept_keys, "_LONGEST_LOCK_S", 0.05)
    place = kept(tmp_path)
    save(place, DOCUMENT, 900.0)
    with place.file.with_suffix(".lock").open("rb") as other_process:
        fcntl.flock(other_process, fcntl.LOCK_EX)
        with pytest.raises(OSError, match="another process holds its lock"):
            save(place, new)
    assert (fingerprint(place) is not None) is stays


def test_without_descriptors_left_no_key_stays_that_the_issuer_may_have_removed(
    tmp_path: Path,
) -> None:
    place = kept(tmp_path)
    save(place, BOTH, 900.0)
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, limits[1]))
    try:
        with pytest.raises(OSError, match="Too many open files"):
            save(place, DOCUMENT)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    assert not place.file.exists()


@pytest.mark.parametrize("suffix", [".keys", ".draft", ".lock"])
def test_what_else_has_the_name_of_a_file_neither_hangs_nor_leaks_and_is_not_written_into(
    tmp_path: Path, suffix: str
) -> None:
    outside = tmp_path / "outside"
    open_before = len(os.listdir("/proc/self/fd"))
    for number, make in enumerate((Path.mkdir, os.mkfifo, _link_to(outside), _symlink_to(outside))):
        outside.write_bytes(b"of somebody else")
        place = kept(tmp_path / str(number))
        place.file.parent.mkdir()
        make(place.file.with_suffix(suffix))
        with contextlib.suppress(OSError):
            save(place)
        place.load()
        assert outside.read_bytes() == b"of somebody else"
    assert len(os.listdir("/proc/self/fd")) == open_before


def _link_to(target: Path) -> Callable[[Path], None]:
    return lambda path: path.hardlink_to(target)


def _symlink_to(target: Path) -> Callable[[Path], None]:
    return lambda path: path.symlink_to(target)


def test_what_prevents_keeping_is_one_warning_and_its_end_another(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    directory = tmp_path / "issuer-keys"
    directory.write_text("no directory")
    place = kept(directory)

    async def keep() -> None:
        for _ in range(3):
            await place.keep(DOCUMENT, parsed(DOCUMENT), 1000.0, timeout_s=5)

    asyncio.run(keep())
    directory.unlink()
    asyncio.run(keep())
    first, second = (record.getMessage() for record in caplog.records)
    assert "cannot be kept for a restart" in first
    assert "they serve all the same" in first
    assert "kept for a restart again" in second


def test_a_disk_that_hangs_holds_nobody_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    place = kept(tmp_path)
    monkeypatch.setattr(place, "save", lambda *_: time.sleep(0.3))

    async def keep() -> float:
        begun = time.monotonic()
        await place.keep(DOCUMENT, parsed(DOCUMENT), 1000.0, timeout_s=0.05)
        return time.monotonic() - begun

    assert asyncio.run(keep()) < 0.25
    assert "writing takes too long" in caplog.text


# --- secrets that an issuer publishes ---------------------------------------------------------------


def test_no_secret_that_an_issuer_publishes_is_written(tmp_path: Path) -> None:
    leaky = {**jwk("ES256", "a"), "d": "PRIVATE-PART"}
    shared = {"kty": "oct", "kid": "s", "k": "SHARED-SECRET"}
    document = json.dumps({"keys": [leaky, shared]}).encode()
    save(kept(tmp_path), document)
    content = kept(tmp_path).file.read_bytes()
    assert b"PRIVATE-PART" not in content
    assert b"SHARED-SECRET" not in content
    assert fingerprint(kept(tmp_path)) == parsed(document).fingerprint


def test_a_key_that_was_skipped_for_an_oddity_does_not_come_back_without_it(tmp_path: Path) -> None:
    """Writing the others anew takes duplicate members away."""
    odd = json.dumps(jwk("ES256", "odd", "other"))[:-1] + ', "kid": "odder", "kid": "odd"}'
    leaky = json.dumps({**jwk("ES256", "a"), "d": "AA"})
    document = f'{{"keys": [{leaky}, {odd}]}}'.encode()
    if parsed(document).size == 2:
        pytest.fail("the key is no longer odd: find another oddity")
    with pytest.raises(KeySetError, match="secrets"):
        save(kept(tmp_path), document)
    assert kept(tmp_path).load() is None


@pytest.mark.parametrize(
    "oddity",
    [b'"A\tB"', b'"\xff"', b"1" * 5000, b"[" * 3000 + b"]" * 3000, b"NaN", b"1e999"],
    ids=["a control character", "no UTF-8", "many digits", "nesting", "NaN", "a huge number"],
)
def test_no_secret_is_written_from_a_document_that_is_read_leniently(
    tmp_path: Path, oddity: bytes
) -> None:
    leaky = json.dumps({**jwk("ES256", "a"), "d": "PRIVATE-PART"}).encode()
    document = b'{"keys": [' + leaky + b'], "odd": ' + oddity + b"}"
    assert parsed(document).size == 1
    with contextlib.suppress(KeySetError):
        save(kept(tmp_path), document)
    for file in tmp_path.iterdir():
        assert b"PRIVATE-PART" not in file.read_bytes()
    public = document.replace(b', "d": "PRIVATE-PART"', b"")
    save(kept(tmp_path), public)
    assert kept(tmp_path).file.read_bytes().endswith(public)
    assert fingerprint(kept(tmp_path)) == parsed(document).fingerprint


def test_no_private_key_is_written_from_a_map_of_pem_texts(tmp_path: Path) -> None:
    document = json.dumps(
        {
            "a": certificate(private_key("ES256")).decode(),
            "b": "-----BEGIN PRIVATE KEY-----\nSECRET\n-----END PRIVATE KEY-----",
        }
    ).encode()
    save(kept(tmp_path), document)
    assert b"SECRET" not in kept(tmp_path).file.read_bytes()
    assert fingerprint(kept(tmp_path)) == parsed(document).fingerprint


def test_where_the_new_keys_cannot_be_written_no_removed_key_stays(tmp_path: Path) -> None:
    save(kept(tmp_path), BOTH, 900.0)
    leaky = json.dumps({**jwk("ES256", "a"), "d": "AA"})
    with pytest.raises(KeySetError, match="secrets"):
        save(kept(tmp_path), f'{{"keys": [{leaky}], "odd": "\t"}}'.encode())
    assert kept(tmp_path).load() is None


# --- several processes, and sudden ends -------------------------------------------------------------


def _write_for_ever(directory: str) -> None:
    number = 0
    while True:
        number += 1
        place = kept(Path(directory), now=1e9)
        save(place, (DOCUMENT, OTHER)[number % 2], 1e9 - 50 + number * 1e-6)


def test_a_process_that_is_killed_while_it_writes_leaves_whole_keys(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    allowed = {parsed(DOCUMENT).fingerprint, parsed(OTHER).fingerprint}
    place = kept(tmp_path, now=1e9)
    for round_ in range(4):
        writers = [context.Process(target=_write_for_ever, args=(str(tmp_path),)) for _ in range(2)]
        for writer in writers:
            writer.start()
        deadline = time.monotonic() + 5
        while not place.file.exists() and time.monotonic() < deadline:
            time.sleep(0.005)
        for _ in range(20):
            assert fingerprint(place) in allowed
        time.sleep(0.02 + 0.013 * round_)
        for writer in writers:
            assert writer.pid is not None
            os.kill(writer.pid, signal.SIGKILL)
            writer.join()
        assert fingerprint(place) in allowed
    save(place, EMPTY, 1e9)
    assert fingerprint(place) == parsed(EMPTY).fingerprint
