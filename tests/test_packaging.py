"""What is installed is whole: data files, migrations, commands."""

from __future__ import annotations

import zipfile

import pytest

from .wheels import ROOT, build_wheel


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    return zipfile.ZipFile(build_wheel(tmp_path_factory.mktemp("packaging")))


def test_wheel_has_every_module_and_data_file(wheel: zipfile.ZipFile) -> None:
    wanted = {
        str(path.relative_to(ROOT))
        for path in (ROOT / "kms_tornado").rglob("*")
        if path.is_file()
        and path.suffix
        in {".py", ".json", ".mako", ".typed", ".html", ".js", ".mjs", ".css", ".svg", ".LICENSE"}
    }
    assert wanted <= set(wheel.namelist())


def test_wheel_has_no_tests(wheel: zipfile.ZipFile) -> None:
    assert not [name for name in wheel.namelist() if name.startswith("tests/")]


def test_wheel_installs_the_command(wheel: zipfile.ZipFile) -> None:
    (entry_points,) = [n for n in wheel.namelist() if n.endswith("entry_points.txt")]
    assert b"kms-tornado = kms_tornado.__main__:main" in wheel.read(entry_points)
