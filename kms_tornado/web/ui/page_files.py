"""PageFiles: the static files of the page, read once, with their media types, ETags and a digest of all of them.

The digest is part of each file's path, so browsers may keep the files for ever: another version of the package has
other paths. Scripts name each other by relative paths, which stay below the same digest.
"""

from __future__ import annotations

import gzip
import hashlib
import json
from base64 import b64encode
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from html import escape
from importlib import resources
from importlib.resources.abc import Traversable

_MEDIA_TYPES = {
    ".js": "text/javascript; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
    ".LICENSE": "text/plain; charset=utf-8",
}

#: The bare names by which libraries import one another → their files.
_LIBRARIES = {
    "preact": "vendor/preact.mjs",
    "preact/hooks": "vendor/preact-hooks.mjs",
    "htm": "vendor/htm.mjs",
}


@dataclass(frozen=True)
class PageFile:
    """One file. etag: as in the header."""

    body: bytes
    media_type: str
    etag: str

    @cached_property
    def packed(self) -> bytes:
        """The body, compressed with gzip, the same bytes in every process."""
        return gzip.compress(self.body, 9, mtime=0)


@dataclass(frozen=True)
class PageFiles:
    """All files. files: {path below the directory: file}. digest: of all of them, in hexadecimal digits."""

    files: Mapping[str, PageFile]
    digest: str

    @cached_property
    def import_map(self) -> str:
        """What the bare names in scripts stand for, as JSON; the paths are relative to the page's address."""
        return json.dumps(
            {"imports": {name: self.find_url(path) for name, path in _LIBRARIES.items()}}
        )

    @property
    def import_map_hash(self) -> str:
        """The hash by which a Content-Security-Policy allows the import map, which has to be inline (CSP 3 §2.3.1)."""
        return "sha256-" + b64encode(hashlib.sha256(self.import_map.encode()).digest()).decode()

    def find_url(self, path: str) -> str:
        return f"./static/{self.digest}/{path}"

    @cached_property
    def shell(self) -> PageFile:
        """The HTML of the page. It names every script, so that browsers fetch all of them at once."""
        text = resources.files(__package__).joinpath("shell.html").read_text("utf-8")
        preloads = "".join(
            f'<link rel="modulepreload" href="{escape(self.find_url(path))}">\n'
            for path in sorted(self.files)
            if path.endswith(("js", "mjs"))
        )
        for name, value in (
            ("import-map", self.import_map),
            ("preloads", preloads),
            ("static", self.find_url("").rstrip("/")),
        ):
            text = text.replace(f"<!--{name}-->", value)
        return _make_file(text.encode(), "text/html; charset=utf-8")


@cache
def load_files() -> PageFiles:
    """The files of the package."""
    files = dict(_walk(resources.files(__package__).joinpath("static"), ""))
    digest = hashlib.sha256()
    for path, file in sorted(files.items()):
        digest.update(f"{path}\0{file.etag}\0".encode())
    return PageFiles(files, digest.hexdigest()[:16])


def _walk(directory: Traversable, prefix: str) -> Iterator[tuple[str, PageFile]]:
    for entry in directory.iterdir():
        if entry.is_dir():
            yield from _walk(entry, f"{prefix}{entry.name}/")
            continue
        media_type = _MEDIA_TYPES.get("." + entry.name.rpartition(".")[2])
        if media_type is not None:
            yield prefix + entry.name, _make_file(entry.read_bytes(), media_type)


def _make_file(body: bytes, media_type: str) -> PageFile:
    return PageFile(body, media_type, f'"{hashlib.sha256(body).hexdigest()[:32]}"')
