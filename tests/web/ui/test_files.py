"""The page's modules for encrypted files, beside those of kmsctl: what one writes the other reads, and both refuse alike."""

from __future__ import annotations

import hashlib
import itertools
import os
import random
from pathlib import Path
from typing import Any

import pytest

from kms_tornado.client import KMSClient
from kms_tornado.client.files.errors import UntrueFile
from kms_tornado.kmip.attributes import Attributes
from kms_tornado.kmip.enums import BlockCipherMode
from kms_tornado.kmip.structures import CryptographicParameters

from ...client.cli.runner import Kmsctl
from ...client.files.samples import CHUNK_SIZE, DATA_KEY, decrypted, encrypted, header
from ...client.files.vectors import LONG, TEXT, read_cases
from .conftest import ALICE, BOB, Place
from .node import find_node, run_files

pytestmark = pytest.mark.skipif(find_node() is None, reason="node is not installed, or too old")

KEY = DATA_KEY.value.hex()


def opened(*files: bytes) -> list[dict[str, Any]]:
    return run_files({"run": "open", "file": file.hex(), "dataKey": KEY} for file in files)


def check_refused_alike(files: list[bytes]) -> None:
    """Both refuse every one of the files, in the same words up to the advice."""
    wrong = []
    for file, answer in zip(files, opened(*files), strict=True):
        with pytest.raises(UntrueFile) as refusal:
            decrypted(file)
        if answer.get("kind") != "UntrueFile" or _words(answer["refusal"]) != _words(
            str(refusal.value)
        ):
            wrong.append((str(refusal.value), answer))
    assert wrong == []


def _words(refusal: str) -> str:
    return refusal if "chunk" in refusal else refusal.partition(":")[0]


def test_vectors_are_opened_or_refused() -> None:
    cases = read_cases()
    wrong = []
    for case, answer in zip(cases, opened(*(case.data for case in cases)), strict=True):
        if case.refusal is None:
            is_right = case.plaintext is not None and answer == {"plaintext": case.plaintext.hex()}
        else:
            is_right = answer.get("kind") == "UntrueFile" and case.refusal in answer["refusal"]
        if not is_right:
            wrong.append((case.name, case.refusal, answer))
    assert wrong == []


def test_every_byte_of_a_small_file_counts() -> None:
    small = encrypted(b"a")
    files = []
    for index in range(len(small)):
        flipped = bytearray(small)
        flipped[index] ^= 1 << index % 8
        files.append(bytes(flipped))
    check_refused_alike(files)


def test_every_length_that_a_file_can_be_cut_to_is_refused() -> None:
    small = encrypted(TEXT)
    check_refused_alike([small[:length] for length in range(len(small))])


def test_edits_of_chunks_are_refused() -> None:
    long = encrypted(LONG)
    length, size = int.from_bytes(long[12:14]), CHUNK_SIZE + 16
    chunks = [long[start : start + size] for start in range(length, len(long), size)]
    orders = (
        order
        for count in range(5)
        for order in itertools.product(range(3), repeat=count)
        if order != (0, 1, 2)
    )
    check_refused_alike([long[:length] + b"".join(chunks[n] for n in order) for order in orders])


def test_random_edits_are_refused() -> None:
    chance, long = random.Random(16), encrypted(LONG)
    files = []
    while len(files) < 60:
        start = chance.randint(0, len(long))
        end = min(len(long), start + chance.randint(0, 20))
        edited = long[:start] + chance.randbytes(chance.randint(0, 20)) + long[end:]
        if edited != long:
            files.append(edited)
    check_refused_alike(files)


def test_same_bytes_are_written_and_opened_for_every_length() -> None:
    """Up to and beyond what the page reads at once."""
    span = 4 * 1024 * 1024 // CHUNK_SIZE
    lengths = [max(count * CHUNK_SIZE + more, 0) for count in (0, 1, 2) for more in (-1, 0, 1)]
    lengths += [span * CHUNK_SIZE, span * CHUNK_SIZE + 1]
    wrapped = header().wrapped
    of = {
        "salt": header().salt.hex(),
        "chunkSizeLog2": header().chunk_size_log2,
        "wrapped": {
            "keyIdentifier": wrapped.key_identifier,
            "ciphertext": wrapped.ciphertext.hex(),
            "nonce": wrapped.nonce.hex(),
            "tag": wrapped.tag.hex(),
        },
    }
    expected = [
        {"digest": hashlib.sha256(encrypted(bytes(length))).hexdigest(), "isSame": True}
        for length in lengths
    ]
    assert expected == run_files(
        {"run": "zeros", "length": length, "dataKey": KEY, "header": of} for length in lengths
    )


# --- with a server --------------------------------------------------------------------------------


def convert(place: Place, run: str, who: str, source: Path, **options: Any) -> dict[str, Any]:
    """Encrypt or decrypt a file by the page's modules; the answer, and the output beside the source."""
    target = source.with_name(f"{source.name}.out")
    paths = {"source": str(source), "target": str(target)}
    request = {"run": run, "token": place.token(who), **paths, **options}
    (answer,) = run_files([request], place.url)
    return {**answer, "output": target}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "report.pdf"
    path.write_bytes(os.urandom(600_000))
    return path


@pytest.fixture(scope="module")
def key(client: KMSClient) -> str:
    return client.create_symmetric_key()


@pytest.mark.parametrize("kind", ["AES", "ChaCha20", "RSA"])
def test_file_of_the_page_opens_with_kmsctl_and_the_other_way_round(
    place: Place, alice: Kmsctl, client: KMSClient, file: Path, kind: str
) -> None:
    if kind == "RSA":
        key = client.create_key_pair(kind, 2048).public_key
    else:
        key = client.create_symmetric_key(kind, 256)
    ours = convert(place, "encrypt", ALICE, file, key=key)["output"]
    assert alice("decrypt", ours, "-o", file.with_name("by-kmsctl")).code == 0
    assert file.with_name("by-kmsctl").read_bytes() == file.read_bytes()
    assert alice("encrypt", file, "--for", key).code == 0
    answer = convert(place, "decrypt", ALICE, Path(f"{file}.kms"))
    assert answer["output"].read_bytes() == file.read_bytes()


def test_who_may_not_use_the_key_is_told_whom_to_ask_and_opens_the_file_once_it_is_shared(
    place: Place, client: KMSClient, file: Path
) -> None:
    key = client.create_symmetric_key()
    sealed = convert(place, "encrypt", ALICE, file, key=key)["output"]
    refused = convert(place, "decrypt", BOB, sealed)
    assert key in refused["refusal"]
    assert "ask its owner to share it" in refused["refusal"]
    client.grant(key, BOB, ["decrypt"])
    assert convert(place, "decrypt", BOB, sealed)["output"].read_bytes() == file.read_bytes()


def test_another_key_does_not_open_the_file(
    place: Place, client: KMSClient, key: str, file: Path
) -> None:
    sealed = convert(place, "encrypt", ALICE, file, key=key)["output"]
    other = client.create_symmetric_key()
    answer = convert(place, "decrypt", ALICE, sealed, key=other)
    assert (answer["kind"], answer["fault"]) == ("UntrueFile", "key")
    assert other in answer["refusal"]


def test_key_that_protects_no_file_is_refused_with_the_servers_reason(
    place: Place, client: KMSClient, file: Path
) -> None:
    cbc = CryptographicParameters(block_cipher_mode=BlockCipherMode.CBC)
    revoked = client.create_symmetric_key()
    client.revoke(revoked)
    keys = {
        client.create_symmetric_key(attributes=Attributes(cryptographic_parameters=cbc)): None,
        client.create_key_pair("EC").public_key: None,
        revoked: "Wrong_Key_Lifecycle_State",
        "nobody's": "Item_Not_Found",
    }
    for unfit, reason in keys.items():
        answer = convert(place, "encrypt", ALICE, file, key=unfit)
        assert "refusal" in answer
        assert reason in {None, answer["fault"]}
        assert not answer["output"].exists()
