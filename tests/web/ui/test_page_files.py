"""The files of the page: which there are, how much they weigh, and that nothing in them leads elsewhere."""

from __future__ import annotations

import hashlib
import re

import pytest

from kms_tornado.web.ui.page_files import PageFiles, load_files

#: Bytes that a browser fetches for the whole page, compressed.
MOST_BYTES = 150 * 1024

#: {file: SHA-256 of the one that npm has}, so that nobody edits a library here.
LIBRARIES = {
    "vendor/preact.mjs": "bdcbd9abdf2c77c5c45326eab42191e949222d479d0d5f69467387a77040cb55",
    "vendor/preact-hooks.mjs": "e862ab2973aa6455eaa0f77c5d832d2157d6be59a17c8ba546550a575b58c6b4",
    "vendor/htm.mjs": "ab33dd3f38059b9be4d5f5350128eefb2356639c4e0bbe9d9e8b3ba75847e9e4",
}


@pytest.fixture(scope="module")
def files() -> PageFiles:
    return load_files()


def test_whole_page_is_light(files: PageFiles) -> None:
    fetched = {path: file for path, file in files.files.items() if not path.endswith("LICENSE")}
    assert len(files.shell.packed) + sum(len(f.packed) for f in fetched.values()) <= MOST_BYTES


def test_libraries_are_those_of_npm_with_their_licences(files: PageFiles) -> None:
    vendored = {path for path in files.files if path.startswith("vendor/")}
    assert vendored - {"vendor/preact.LICENSE", "vendor/htm.LICENSE"} == set(LIBRARIES)
    digests = {path: hashlib.sha256(files.files[path].body).hexdigest() for path in LIBRARIES}
    assert digests == LIBRARIES


def test_no_file_of_ours_names_another_site(files: PageFiles) -> None:
    """What is fetched from elsewhere tells somebody else who looks at which keys."""
    links = {
        link
        for path, file in files.files.items()
        if not path.startswith("vendor/")
        for link in re.findall(rb"(?:https?:)?//[a-z0-9-]+\.[a-z0-9.-]+", file.body)
    }
    assert links <= {b"http://www.w3.org"}  # the namespace of SVG, which nobody fetches


def test_every_import_leads_to_a_file(files: PageFiles) -> None:
    missing = []
    for path, file in files.files.items():
        if not path.endswith("js") or path.startswith("vendor/"):
            continue
        folder = path.rpartition("/")[0]
        for name in re.findall(r'(?:from|import\()\s*"(\.[^"]+)"', file.body.decode()):
            parts = f"{folder}/{name}".split("/")
            resolved: list[str] = []
            for part in parts:
                if part == "..":
                    resolved.pop()
                elif part not in ("", "."):
                    resolved.append(part)
            if "/".join(resolved) not in files.files:
                missing.append(f"{path} → {name}")
    assert missing == []


def test_no_script_makes_markup_or_code_of_text(files: PageFiles) -> None:
    found = [
        f"{path}: {word.decode()}"
        for path, file in files.files.items()
        if path.endswith("js") and not path.startswith("vendor/")
        for word in re.findall(
            rb"\b(?:innerHTML|outerHTML|insertAdjacentHTML|dangerouslySetInnerHTML|document\.write|eval\(|new Function)",
            re.sub(rb"(?m)^\s*//.*$", b"", file.body),
        )
    ]
    assert found == []


def test_every_script_says_what_it_owns(files: PageFiles) -> None:
    silent = [
        path
        for path, file in files.files.items()
        if path.endswith("js") and not path.startswith("vendor/")
        if not file.body.startswith((b"// ", b"/**"))
    ]
    assert silent == []
