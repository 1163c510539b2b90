"""The benchmarks are run by hand: here each is loaded, so that a name that moved is noticed on the day it moves."""

from __future__ import annotations

import importlib
import pkgutil

import pytest

from tests import bench

MODULES = sorted(
    module.name
    for module in pkgutil.walk_packages(bench.__path__, "tests.bench.")
    if not module.ispkg
)


@pytest.mark.parametrize("module", MODULES)
def test_a_benchmark_finds_what_it_imports(module: str) -> None:
    try:
        importlib.import_module(module)
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] in {"kms_tornado", "tests"}:
            raise
        pytest.skip(f"{error.name} is not installed")
