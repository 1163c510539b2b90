"""What all workers of pytest-xdist would compile, each for itself, compiled once before they begin.

In a new clone nothing is compiled: each worker would rewrite the assertions of five hundred files, for ten seconds.
What is found compiled is left alone, and what is missed here the workers compile as ever. PYTHONDONTWRITEBYTECODE,
which would have each worker do so in every run, holds for no process of tests.
"""

from __future__ import annotations

import compileall
import contextlib
import multiprocessing
import os
import sys
import types
from collections.abc import Iterator
from pathlib import Path

import pytest
from _pytest.assertion import rewrite
from hypothesis.internal.charmap import intervals_from_codec
from hypothesis.internal.constants_ast import constants_from_module

TESTS = Path(__file__).parent
PACKAGE = TESTS.parent / "kms_tornado"

#: So many files of tests the workers may as well compile themselves.
_FEW = 20


def compile_all(config: pytest.Config) -> None:
    """The tests in the directories that the command line names, and the package, by a process for each core."""
    sys.dont_write_bytecode = False
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    tests = [path for path in _find_tests(config) if not _rewritten(path).exists()]
    if len(tests) <= _FEW:
        return
    others = [path for path in TESTS.rglob("*.py") if not _is_rewritten(path)]
    files = [*tests, *others, *PACKAGE.rglob("*.py")]
    begin, values = _remember_config, [config]
    with multiprocessing.get_context("fork").Pool(os.cpu_count(), begin, values) as pool:
        pool.apply_async(intervals_from_codec, ["utf-8"])  # which hypothesis keeps on disk, too
        pool.map(_compile, files, chunksize=8)


def _find_tests(config: pytest.Config) -> Iterator[Path]:
    for argument in config.args:
        directory = config.invocation_params.dir / argument
        if directory.is_dir() and TESTS in (directory, *directory.parents):
            yield from filter(_is_rewritten, directory.rglob("*.py"))


def _is_rewritten(path: Path) -> bool:
    return TESTS in path.parents and path.name.startswith(("test_", "conftest."))


def _rewritten(path: Path) -> Path:
    """Where pytest keeps a file of tests, compiled."""
    return rewrite.get_cache_dir(path) / f"{path.stem}{rewrite.PYC_TAIL}"


_config: pytest.Config


def _remember_config(config: pytest.Config) -> None:
    global _config
    _config = config


def _compile(path: Path) -> None:
    if _is_rewritten(path):
        _rewrite(path)
        return
    compileall.compile_file(path, quiet=2)
    if PACKAGE in path.parents:  # hypothesis takes the package's constants for examples
        module = types.ModuleType(path.stem)
        module.__file__ = str(path)
        constants_from_module(module)


def _rewrite(path: Path) -> None:
    compiled = _rewritten(path)
    # What cannot be compiled is an error of its collection.
    with contextlib.suppress(SyntaxError):
        source_hash, code = rewrite._rewrite_test(path, _config)
        if rewrite.try_makedirs(compiled.parent):
            rewrite._write_pyc(_config.stash[rewrite.assertstate_key], code, source_hash, compiled)
