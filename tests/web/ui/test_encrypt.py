"""The view of files: encrypt and decrypt one in the browser, and what is said where that fails."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kms_tornado.client import KMSClient

from ...client.cli.runner import Kmsctl
from .acting import enter
from .browser import find_violations
from .conftest import ALICE, BOB, Place

HOSTILE = "<img src=x onerror=alert(1)>"

#: Where a person would say where a large file goes: the browser's own file system, which nobody sees.
PICKER = """
window.showSaveFilePicker = async ({ suggestedName }) => {
  const root = await navigator.storage.getDirectory();
  const handle = await root.getFileHandle(suggestedName, { create: true });
  const createWritable = handle.createWritable.bind(handle);
  handle.createWritable = async () => {
    const writable = await createWritable();
    const write = writable.write.bind(writable);
    writable.write = async (data) => {
      if (window.isFull) throw new DOMException("the disk is full", "QuotaExceededError");
      await window.pause;
      return write(data);
    };
    return writable;
  };
  return handle;
};
window.kept = async () => {
  const names = [];
  for await (const name of (await navigator.storage.getDirectory()).keys()) names.push(name);
  return names.sort();
};
"""


@pytest.fixture(scope="module")
def shown(other_tab: Any, place: Place) -> Any:
    return enter(other_tab, place, ALICE, "#/encrypt")


@pytest.fixture
def page(shown: Any) -> Iterator[Any]:
    """The view as alice has it; nothing may be complained of."""
    go(shown, "#/me")
    go(shown, "#/encrypt")
    yield shown
    complaints, shown.complaints = shown.complaints, []
    assert complaints == []


@pytest.fixture(scope="module")
def key(client: KMSClient) -> str:
    return client.create_symmetric_key(name="billing")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "report.pdf"
    path.write_bytes(os.urandom(600_000))
    return path


@pytest.fixture
def sealed(alice: Kmsctl, key: str, file: Path) -> Path:
    """The file, encrypted by kmsctl."""
    assert alice("encrypt", file, "--for", key).code == 0
    return file.with_name("report.pdf.kms")


def go(page: Any, address: str) -> None:
    page.evaluate("address => { location.hash = address; }", address)
    page.get_by_role(
        "heading", name="Files" if "encrypt" in address else "Me", exact=True
    ).wait_for()


def convert(page: Any, what: str, source: Path, key: str = "") -> Path:
    """Choose the file, press the button, and keep what is downloaded beside it."""
    page.get_by_label("File", exact=True).set_input_files(source)
    if key:
        page.get_by_label("For the key").fill(key)
    with page.expect_download() as download:
        page.get_by_role("button", name=what).click()
    target = source.with_name(f"page-{download.value.suggested_filename}")
    download.value.save_as(target)
    return target


def refusal(page: Any, source: Path) -> str:
    """What is said where the file cannot be decrypted."""
    page.get_by_label("File", exact=True).set_input_files(source)
    page.get_by_label("Decrypt", exact=True).check()
    page.get_by_role("button", name="Decrypt").click()
    return str(page.get_by_role("alert").inner_text())


def test_file_of_the_page_opens_with_kmsctl(page: Any, alice: Kmsctl, key: str, file: Path) -> None:
    ours = convert(page, "Encrypt", file, "billing")
    assert ours.name == "page-report.pdf.kms"
    assert find_violations(page) == []
    assert alice("decrypt", ours, "-o", file.with_name("copy")).code == 0
    assert file.with_name("copy").read_bytes() == file.read_bytes()


def test_file_of_kmsctl_opens_on_the_page(page: Any, key: str, sealed: Path, file: Path) -> None:
    plain = convert(page, "Decrypt", sealed)
    assert plain.name == "page-report.pdf"
    assert plain.read_bytes() == file.read_bytes()
    assert f"The file is for the key {key}" in page.locator("main").inner_text()
    assert find_violations(page) == []


def test_empty_file_comes_back_empty(page: Any, key: str, tmp_path: Path) -> None:
    source = tmp_path / "empty"
    source.write_bytes(b"")
    assert convert(page, "Decrypt", convert(page, "Encrypt", source, key)).read_bytes() == b""


def test_name_of_a_file_is_text_and_nothing_else(page: Any, key: str, tmp_path: Path) -> None:
    source = tmp_path / HOSTILE
    source.write_bytes(b"data")
    sealed = convert(page, "Encrypt", source, key)
    assert page.locator("main strong", has_text=HOSTILE).count() == 2
    assert page.locator("img").count() == 0
    assert convert(page, "Decrypt", sealed).read_bytes() == b"data"


def test_keys_are_suggested_by_name_and_it_is_said_whose_they_are(
    page: Any, client: KMSClient, place: Place, file: Path
) -> None:
    client.create_key_pair("EC", name="suggested, though it signs")
    with KMSClient(place.url, place.token(BOB)) as bob:
        theirs = bob.create_symmetric_key(name="suggested by bob")
        bob.grant(theirs, ALICE, ["encrypt", "get_attributes"])
    page.get_by_label("File", exact=True).set_input_files(file)
    page.get_by_label("For the key").fill("SUGGESTED")
    page.locator("datalist:has(option:only-child[value='suggested by bob'])").wait_for(
        state="attached"
    )
    page.get_by_label("For the key").fill("suggested by bob")
    page.get_by_text(f"{theirs}, AES 256, of {BOB}").and_(page.get_by_role("status")).wait_for()


def test_who_may_not_use_the_key_is_told_whom_to_ask_and_opens_the_file_once_it_is_shared(
    tab: Any, place: Place, client: KMSClient, alice: Kmsctl, file: Path
) -> None:
    key = client.create_symmetric_key()
    assert alice("encrypt", file, "--for", key).code == 0
    page = enter(tab, place, BOB, "#/encrypt")
    sealed = Path(f"{file}.kms")
    said = refusal(page, sealed)
    assert key in said
    assert "ask its owner to share it with you" in said
    assert f"You are signed in as {BOB}" in said
    client.grant(key, BOB, ["decrypt"])
    assert convert(page, "Decrypt", sealed).read_bytes() == file.read_bytes()
    assert page.complaints == []


def test_untrue_files_are_refused_with_what_to_do(page: Any, sealed: Path) -> None:
    data = sealed.read_bytes()
    cases = {
        data[:-1]: ["cut off, or edited at its end", "Fetch it again"],
        data[:100]: ["ends within its header", "Fetch it again"],
        data[:-9] + b"x" + data[-8:]: ["is not authentic", "Nothing was saved"],
        data[:300] + b"x" + data[301:]: ["was edited: chunk 1", "changed it"],
        data[:48] + b"x" + data[49:]: ["which this server does not have"],
        data[:8] + b"\x02" + data[9:]: ["version 2 of the format"],
        b"a text": ["no file that kmsctl encrypted", "kmsctl decrypt --ckms"],
    }
    wrong = []
    for number, (untrue, words) in enumerate(cases.items()):
        path = sealed.with_name(f"{number}.kms")
        path.write_bytes(untrue)
        said = refusal(page, path)
        wrong += [(word, said) for word in words if word not in said]
    assert wrong == []


def test_another_key_does_not_open_the_file(page: Any, client: KMSClient, sealed: Path) -> None:
    other = client.create_symmetric_key()
    page.get_by_label("File", exact=True).set_input_files(sealed)
    page.get_by_text("With another key").click()
    page.get_by_label("Key", exact=True).fill(other)
    page.get_by_role("button", name="Decrypt").click()
    assert "Choose the key that it was encrypted for" in page.get_by_role("alert").inner_text()


#: Beside the field; `names`: of the files that are dropped there together.
DROP = """
    const drop = (names) => {
        const dataTransfer = new DataTransfer();
        for (const name of names) dataTransfer.items.add(new File(["data"], name));
        const event = new DragEvent("drop", { dataTransfer, bubbles: true, cancelable: true });
        document.querySelector("h1").dispatchEvent(event);
        if (!event.defaultPrevented) throw new Error("the browser would open the file");
    };
"""


def test_file_that_is_dropped_beside_the_field_is_taken_and_the_page_stays(page: Any) -> None:
    for names, words in ((["one"], "one, 4 bytes"), (["two", "three"], "One file at a time")):
        page.evaluate(f"(names) => {{ {DROP} drop(names); }}", names)
        page.get_by_text(words).wait_for()


def test_view_takes_a_file_as_soon_as_it_is_shown(page: Any) -> None:
    go(page, "#/me")
    page.evaluate(
        f"""() => {{
            {DROP}
            return new Promise((resolve, reject) => {{
                const main = document.querySelector("main");
                new MutationObserver((_, observer) => {{
                    if (document.querySelector("h1").textContent !== "Files") return;
                    observer.disconnect();
                    try {{ resolve(drop(["one"])); }} catch (error) {{ reject(error); }}
                }}).observe(main, {{ childList: true, subtree: true, characterData: true }});
                location.hash = "#/encrypt";
            }});
        }}"""
    )
    page.get_by_text("one, 4 bytes").wait_for()


def test_no_button_takes_the_former_file_while_another_is_looked_at(page: Any, file: Path) -> None:
    page.get_by_label("File", exact=True).set_input_files(file)
    page.get_by_role("button", name="Encrypt").wait_for()
    page.evaluate(
        f"""() => {{
            {DROP}
            const read = Blob.prototype.arrayBuffer;
            const arrived = new Promise((resolve) => {{ window.arrive = resolve; }});
            Blob.prototype.arrayBuffer = () => arrived;
            drop(["slow"]);
            Blob.prototype.arrayBuffer = read;
        }}"""
    )
    assert page.get_by_role("button", name="Encrypt").count() == 0
    page.evaluate(f"() => {{ {DROP} drop(['quick']); }}")
    page.get_by_text("quick, 4 bytes").wait_for()
    page.evaluate(
        """async () => {
            arrive(new ArrayBuffer(4));
            await new Promise((resolve) => setTimeout(resolve)); // by then all that follows has been done
        }"""
    )
    assert page.get_by_text("quick, 4 bytes").is_visible()


def test_text_names_ones_own_key_whatever_others_have_called_theirs(
    page: Any, client: KMSClient, place: Place, file: Path
) -> None:
    ours = client.create_symmetric_key(name="ours", unique_identifier="by identifier")
    with KMSClient(place.url, place.token(BOB)) as bob:
        traps = [
            bob.create_symmetric_key(unique_identifier="ours"),
            bob.create_symmetric_key(name="ours"),
            bob.create_symmetric_key(name="by identifier"),
        ]
        for trap in traps:
            bob.grant(trap, "*", ["encrypt", "decrypt", "get_attributes"])
        for one in (
            bob.create_symmetric_key(name="either"),
            bob.create_symmetric_key(unique_identifier="either"),
        ):
            bob.grant(one, ALICE, ["encrypt", "get_attributes"])
        shared = bob.create_symmetric_key()
        bob.grant(shared, ALICE, ["encrypt"])
        bob.grant(bob.create_symmetric_key(name=shared), "*", ["encrypt", "get_attributes"])
    for named, meant in (("ours", ours), ("by identifier", ours), (shared, shared)):
        sealed = convert(page, "Encrypt", file, named).read_bytes()
        assert sealed[48 : 48 + len(meant)] == meant.encode()
    page.get_by_label("For the key").fill("either")
    page.get_by_role("button", name="Encrypt").click()
    assert "may be one of 2 keys" in page.get_by_role("alert").inner_text()


def test_keys_that_protect_no_file_are_refused_with_what_to_do(
    page: Any, client: KMSClient, file: Path
) -> None:
    revoked = client.create_symmetric_key(name="revoked")
    client.revoke(revoked)
    page.get_by_label("File", exact=True).set_input_files(file)
    cases = {
        "revoked": "shows what it can be used for now",
        "nobody has it": "its owner can share it with you",
    }
    for key, words in cases.items():
        page.get_by_label("For the key").fill(key)
        page.get_by_role("button", name="Encrypt").click()
        page.get_by_role("alert").get_by_text(words).wait_for()


def test_file_that_has_changed_since_it_was_chosen_is_refused(
    page: Any, key: str, file: Path
) -> None:
    page.get_by_label("File", exact=True).set_input_files(file)
    page.get_by_label("For the key").fill(key)
    file.write_bytes(b"something else")
    os.utime(file, (1, 1))
    page.get_by_role("button", name="Encrypt").click()
    assert "changed while it was read" in page.get_by_role("alert").inner_text()


def test_large_file_is_written_where_the_person_says_piece_by_piece(
    tab: Any, place: Place, client: KMSClient, tmp_path: Path
) -> None:
    key, source = client.create_symmetric_key(), tmp_path / "large"
    with source.open("wb") as stream:
        stream.truncate(33 * 1024 * 1024)
    with tab.add_init_script(PICKER):
        page = enter(tab, place, ALICE, "#/encrypt")
    page.get_by_label("File", exact=True).set_input_files(source)
    page.get_by_label("For the key").fill(key)
    page.get_by_role("button", name="Encrypt").click()
    page.get_by_text("large.kms is ready").wait_for()
    drop_kept(page, "large.kms", cut=0)
    page.get_by_role("button", name="Decrypt").click()
    page.get_by_text("It is whole").wait_for()
    digest = page.evaluate(
        """async () => {
            const root = await navigator.storage.getDirectory();
            const file = await (await root.getFileHandle("large")).getFile();
            const parts = new Uint8Array(await file.arrayBuffer());
            return [parts.length, parts.some((byte) => byte !== 0)];
        }"""
    )
    assert digest == [33 * 1024 * 1024, False]
    page.evaluate("navigator.storage.getDirectory().then((root) => root.removeEntry('large'))")
    drop_kept(page, "large.kms", cut=1)
    page.get_by_role("button", name="Decrypt").click()
    page.get_by_role("alert").get_by_text("cut off, or edited at its end").wait_for()
    assert page.evaluate("kept()") == ["large.kms"]
    page.evaluate("() => { window.pause = new Promise((end) => { window.endPause = end; }); }")
    drop_kept(page, "large.kms", cut=0)
    page.get_by_role("button", name="Decrypt").click()
    page.get_by_role("button", name="Stop").click()
    page.evaluate("endPause()")
    page.get_by_role("progressbar").wait_for(state="detached")
    assert page.evaluate("kept()") == ["large.kms"]
    page.evaluate("() => { window.isFull = true; }")
    page.get_by_role("button", name="Decrypt").click()
    page.get_by_role("alert").get_by_text("cannot be written: the disk is full").wait_for()
    assert page.evaluate("kept()") == ["large.kms"]
    assert page.complaints == []


def test_browser_that_withholds_its_cryptography_is_told_of(tab: Any, place: Place) -> None:
    with tab.add_init_script("Object.defineProperty(crypto, 'subtle', { value: undefined });"):
        page = enter(tab, place, ALICE, "#/encrypt")
    page.get_by_text("as the page came over plain HTTP").wait_for()


def drop_kept(page: Any, name: str, cut: int) -> None:
    """Drag a file of the browser's own file system to the view, without its last bytes."""
    page.evaluate(
        """async ([name, cut]) => {
            const root = await navigator.storage.getDirectory();
            const file = await (await root.getFileHandle(name)).getFile();
            const dataTransfer = new DataTransfer();
            dataTransfer.items.add(new File([file.slice(0, file.size - cut)], name));
            const event = new DragEvent("drop", { dataTransfer, bubbles: true, cancelable: true });
            document.querySelector(".drop").dispatchEvent(event);
        }""",
        [name, cut],
    )
    page.get_by_label("Decrypt", exact=True).wait_for()
