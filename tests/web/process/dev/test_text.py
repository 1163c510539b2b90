"""What --dev prints works when it is pasted as it stands into a shell at a terminal."""

from __future__ import annotations

import shutil
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest

from ....issuer import write_tls_files
from ....keys import certificate, private_key, private_pem
from ....server import ServerProcess, serving
from ....terminal import SHELLS, Terminal, terminal
from .browser import Printed

EXPORTS = "as alice"
LINES = "make a key, encrypt a file, let bob decrypt it"
BOBS = "as bob"


@pytest.fixture(scope="module")
def dev(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    with serving("--dev", cwd=tmp_path_factory.mktemp("dev")) as server:
        yield server


@pytest.fixture(params=SHELLS)
def screen(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Terminal]:
    if shutil.which(request.param) is None:
        pytest.skip(f"there is no {request.param} here")
    with terminal(tmp_path, {}, shell=request.param) as running:
        yield running


@pytest.mark.parametrize("screen", ["bash"], indirect=True)
def test_bob_decrypts_only_what_the_third_line_shares(dev: ServerProcess, screen: Terminal) -> None:
    paragraphs = Printed(dev).paragraphs
    screen.paste(paragraphs[EXPORTS])
    create, encrypt, share = (line.replace("demo", "letters") for line in paragraphs[LINES])
    assert [code for _, code in screen.paste([create, encrypt])] == [0, 0]
    (bobs,) = paragraphs[BOBS]
    assert screen.run(bobs)[1] == 1
    assert screen.run(share)[1] == 0
    assert screen.run(bobs) == ("pay 12 EUR\n", 0)


def test_lines_are_pasted_as_they_stand(tmp_path: Path, screen: Terminal) -> None:
    with serving("--dev", cwd=tmp_path) as server:
        paragraphs = Printed(server).paragraphs
        pasted = [line for heading in (EXPORTS, LINES, BOBS) for line in paragraphs[heading]]
        results = screen.paste(pasted)
    assert [code for _, code in results] == [0] * len(pasted), screen.transcript
    assert results[-1][0] == "pay 12 EUR\n"


@pytest.mark.parametrize("screen", ["bash"], indirect=True)
def test_lines_share_with_the_name_that_bob_has_here(tmp_path: Path, screen: Terminal) -> None:
    with serving("--dev", "--jwt-user-namespace", "issuer", cwd=tmp_path) as server:
        paragraphs = Printed(server).paragraphs
        assert f"'{Printed(server).issuer}#bob@example.com'" in paragraphs[LINES][2]
        screen.paste([line for heading in (EXPORTS, LINES) for line in paragraphs[heading]])
        assert screen.run(paragraphs[BOBS][0]) == ("pay 12 EUR\n", 0)


def test_three_lines_are_enough(dev: ServerProcess) -> None:
    printed = Printed(dev)
    exports = printed.paragraphs[EXPORTS]
    assert exports[:2] == [f"export KMS_URL={dev.url}", f"export KMS_TOKEN={printed.alice}"]
    assert len(printed.paragraphs[LINES]) == 3
    assert "#" not in printed.text  # which an interactive zsh does not skip


@pytest.mark.parametrize("screen", ["bash"], indirect=True)
def test_lines_work_with_a_certificate_that_nobody_vouches_for(
    tmp_path: Path, screen: Terminal
) -> None:
    key = private_key("ES256", "dev tls")
    pem = certificate(key)
    directory = tmp_path / "it's mine"
    directory.mkdir()
    write_tls_files(directory, pem, private_pem(key))
    argv = ("--dev", "--tls-cert-file", "cert.pem", "--tls-key-file", "key.pem")
    context = ssl.create_default_context(cadata=pem.decode())
    with serving(*argv, cwd=directory, tls=context) as server:
        paragraphs = Printed(server).paragraphs
        screen.paste(paragraphs[EXPORTS])
        create = paragraphs[LINES][0]
        assert screen.run(create)[1] == 3  # the twin: nobody is trusted without the line
        screen.paste(paragraphs["where no authority of this machine vouches for the certificate"])
        assert [code for _, code in screen.paste(paragraphs[LINES])] == [0, 0, 0]


def test_pip_lines_name_the_extra_that_there_is(dev: ServerProcess) -> None:
    paragraphs = Printed(dev).paragraphs
    assert "pip install '.[client]'" in {line for lines in paragraphs.values() for line in lines}
