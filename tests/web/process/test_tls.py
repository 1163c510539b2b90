"""HTTPS: serving it, reading its files again, refusing files that cannot serve."""

from __future__ import annotations

import re
import signal
import ssl
import subprocess

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from ...issuer import Issuer, write_tls_files
from ...keys import certificate, private_key, private_pem
from ...server import (
    NO_AUTH,
    Client,
    ServerProcess,
    check_refused,
    eventually,
    run,
    serving,
    trusting,
)
from ...tls_files import FILES, trusting_context, write_pair


def served_certificate(server):
    return ssl.get_server_certificate(("127.0.0.1", server.port)).encode()


def body_of(pem):
    return pem.split()


@pytest.fixture(scope="module")
def https(tmp_path_factory):
    directory = tmp_path_factory.mktemp("https")
    pems = [write_pair(directory, name) for name in ("second tls", "first tls")]
    with (
        Issuer("ES256") as issuer,
        serving(
            *trusting(issuer, "--jwks-cooldown", "0"),
            *FILES,
            "--metrics",
            cwd=directory,
            tls=trusting_context(*pems),
        ) as server,
    ):
        server.issuer = issuer
        server.pems = pems
        yield server


def test_start_up_line_says_https(https):
    assert https.url == f"https://127.0.0.1:{https.port}"


def test_keys_are_made_and_read_over_https(https):
    token = https.issuer.token(aud="kms")
    uid = https.client.create(token)
    assert https.client.get_key(token, uid).status == 200


def test_challenge_names_its_metadata_over_https(https):
    challenge = https.client.post("/kmip_2_1").headers["WWW-Authenticate"]
    assert f'resource_metadata="{https.url}/.well-known/oauth-protected-resource"' in challenge


def test_host_of_the_certificate_is_named_and_no_other(https):
    def resource(host):
        path = "/.well-known/oauth-protected-resource"
        return https.client.get(path, headers={"Host": host}).json()["resource"]

    [name] = re.findall(
        r"DNS:([\w-]+)",
        subprocess.run(
            ["openssl", "x509", "-noout", "-ext", "subjectAltName"],
            input=served_certificate(https), capture_output=True, check=True,
        ).stdout.decode(),
    )  # fmt: skip
    assert resource(f"{name}:{https.port}") == f"https://{name}:{https.port}"
    assert resource(f"other-{name}:{https.port}") == https.url


def test_plain_http_gets_no_answer_and_hurts_nobody(https):
    assert b"200" not in Client(https.port).raw(b"GET /health HTTP/1.1\r\nHost: k\r\n\r\n")
    assert https.client.get("/health").status == 200


@pytest.mark.parametrize(("version", "works"), [("1.1", False), ("1.2", True), ("1.3", True)])
def test_tls_before_1_2_is_refused(https, version, works):
    option = "-tls" + version.replace(".", "_")
    finished = subprocess.run(
        ["openssl", "s_client", "-connect", f"127.0.0.1:{https.port}", option]
        + ["-cipher", "ALL:@SECLEVEL=0"] * (version != "1.3"),
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=10, check=False,
    )  # fmt: skip
    assert (f"New, TLSv{version}" in finished.stdout) is works, finished.stdout


def test_sighup_reads_the_tls_files_and_the_keys_again(https):
    old = served_certificate(https)
    fetches = https.issuer.fetches
    write_pair(https.cwd, "second tls")
    assert body_of(served_certificate(https)) == body_of(old)
    https.send(signal.SIGHUP)
    eventually(lambda: served_certificate(https) != old)
    https.issuer.wait_for_fetches(fetches + 1)


def test_metrics_have_the_end_of_the_certificate_in_use_after_sighup_too(https):
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    client = Client(https.port, tls=context)

    def told():
        text = client.get("/metrics").text
        name = "kms_tls_certificate_expiry_timestamp_seconds"
        return float(re.search(rf"^{name} (\S+)$", text, re.M)[1])

    for days in (5, 10):
        pem = write_pair(https.cwd, "first tls", ends_in_days=days)
        https.send(signal.SIGHUP)
        eventually(lambda pem=pem: body_of(served_certificate(https)) == body_of(pem))
        assert told() == x509.load_pem_x509_certificate(pem).not_valid_after_utc.timestamp()


def test_certificate_that_has_ended_serves_with_a_warning_until_a_good_one_is_read(tmp_path):
    key = private_key("ES256", "ended tls")
    write_tls_files(tmp_path, certificate(key, expired=True), private_pem(key))
    with serving(*NO_AUTH, *FILES, cwd=tmp_path) as server:
        ended = "the certificate in cert.pem has ended"
        server.wait_for_line(ended)
        seen = len(server.output["stderr"])
        write_pair(tmp_path, "good again tls")
        server.send(signal.SIGHUP)
        server.wait_for_line("read again", after=seen)
        assert not any(ended in line for line in server.output["stderr"][seen:])


def test_sighup_with_a_broken_file_logs_it_and_keeps_the_old_ones(tmp_path):
    pem = write_pair(tmp_path, "kept tls")
    with serving_broken(tmp_path, pem) as server:
        before = served_certificate(server)
        for fault in (b"rubbish", private_pem(private_key("ES256", "other tls"))):
            seen = len(server.output["stderr"])
            (tmp_path / "key.pem").write_bytes(fault)
            server.send(signal.SIGHUP)
            line = server.wait_for_line("old TLS files stay", after=seen)
            assert "key.pem" in line
            assert served_certificate(server) == before
            assert server.client.get("/health").status == 200
        (tmp_path / "key.pem").unlink()
        server.send(signal.SIGHUP)
        server.wait_for_line("No such file")
        assert server.client.get("/health").status == 200
        write_pair(tmp_path, "healed tls")
        server.send(signal.SIGHUP)
        server.wait_for_line("read again: certificate cert.pem, key key.pem$")
        assert served_certificate(server) != before


def serving_broken(directory, pem):
    """Its log is to have errors."""
    return ServerProcess(*NO_AUTH, *FILES, cwd=directory, tls=trusting_context(pem))


def encrypted_key(name):
    return private_key("ES256", name).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"open sesame"),
    )


@pytest.mark.parametrize(
    ("cert", "key", "option", "words"),
    [
        pytest.param(None, b"other", "--tls-key-file", "is not the key", id="another one's key"),
        pytest.param(None, b"encrypted", "--tls-key-file", "encrypted", id="encrypted key"),
        pytest.param(None, b"rubbish", "--tls-key-file", "no PEM private key", id="no PEM key"),
        pytest.param(None, b"", "--tls-key-file", "no PEM private key", id="empty key"),
        pytest.param(
            b"junk", None, "--tls-cert-file", "no PEM certificate", id="no PEM certificate"
        ),
        pytest.param(
            b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
            None,
            "--tls-cert-file",
            "cannot be used",
            id="broken certificate",
        ),
    ],
)
def test_unusable_tls_files_end_the_start(tmp_path, cert, key, option, words):
    write_pair(tmp_path, "start tls")
    if key is not None:
        special = {
            b"other": private_pem(private_key("ES256", "other tls")),
            b"encrypted": encrypted_key("start tls"),
        }
        (tmp_path / "key.pem").write_bytes(special.get(key, key))
    if cert is not None:
        (tmp_path / "cert.pem").write_bytes(cert)
    finished = run(*NO_AUTH, *FILES, "--port", "0", cwd=tmp_path)
    line = check_refused(finished, 2)
    assert f"{option} (flag)" in line
    assert words in line
    assert "listening" not in finished.stderr


@pytest.mark.parametrize(
    "argv",
    [
        pytest.param(FILES[:2], id="no key"),
        pytest.param(FILES[2:], id="no certificate"),
        pytest.param(("--tls-cert-file", "gone.pem", *FILES[2:]), id="a file that is not there"),
    ],
)
def test_half_a_pair_ends_the_start(tmp_path, argv):
    write_pair(tmp_path, "start tls")
    line = check_refused(run(*NO_AUTH, *argv, cwd=tmp_path), 2)
    assert re.search(r"--tls-(cert|key)-file \(flag\)", line)


# --- certificates of clients --------------------------------------------------------------------


@pytest.fixture(scope="module")
def asking(tmp_path_factory):
    """A server that lets in who has a certificate of its authority, and the two of such a client."""
    directory = tmp_path_factory.mktemp("asking")
    pem = write_pair(directory, "asking tls")
    key = private_key("ES256", "client of the authority")
    own = certificate(key)
    (directory / "client.pem").write_bytes(own + private_pem(key))
    (directory / "ca.pem").write_bytes(own)  # it is its own authority
    other = private_key("ES256", "another client")
    (directory / "other.pem").write_bytes(certificate(other) + private_pem(other))
    context = trusting_context(pem)
    context.load_cert_chain(directory / "client.pem")
    argv = ("--clients-ca-cert-file", "ca.pem")
    with (
        Issuer("ES256") as issuer,
        serving(*trusting(issuer), *FILES, *argv, cwd=directory, tls=context) as server,
    ):
        server.issuer, server.pem = issuer, pem
        yield server


def test_client_with_a_certificate_is_let_in_and_needs_its_token_all_the_same(asking):
    assert asking.client.get("/health").status == 200
    assert asking.client.post("/kmip_2_1").status == 401
    assert asking.client.create(asking.issuer.token(aud="kms"))


@pytest.mark.parametrize("file", [None, "other.pem"], ids=["none", "of another authority"])
def test_client_without_a_certificate_of_the_authority_is_not(asking, file):
    context = trusting_context(asking.pem)
    if file is not None:
        context.load_cert_chain(asking.cwd / file)
    with pytest.raises(OSError):
        Client(asking.port, tls=context).get("/health")


def test_file_without_certificates_ends_the_start(tmp_path):
    write_pair(tmp_path, "start tls")
    (tmp_path / "ca.pem").write_text("rubbish")
    argv = (*NO_AUTH, *FILES, "--clients-ca-cert-file", "ca.pem", "--port", "0")
    line = check_refused(run(*argv, cwd=tmp_path), 2)
    assert "--clients-ca-cert-file (flag)" in line
    assert "no PEM certificate" in line


# --- authorities that are taken out ---------------------------------------------------------------


@pytest.fixture(scope="module")
def reading(tmp_path_factory):
    """A server with every TLS file there is; its log is to have errors."""
    directory = tmp_path_factory.mktemp("reading")
    pem = write_pair(directory, "reading tls")
    for name in ("a", "b"):
        key = private_key("ES256", f"client {name}")
        own = certificate(key, names=(name,))
        (directory / f"{name}.pem").write_bytes(own)
        (directory / f"client-{name}.pem").write_bytes(own + private_pem(key))
    write_authorities(directory, "a", "b")
    issuer_context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    issuer_context.load_cert_chain(directory / "client-a.pem")
    (directory / "issuers.pem").write_bytes((directory / "a.pem").read_bytes())
    context = trusting_context(pem)
    context.load_cert_chain(directory / "client-b.pem")
    files = ("--clients-ca-cert-file", "ca.pem", "--jwks-ca-file", "issuers.pem")
    with (
        Issuer("ES256", tls=issuer_context) as issuer,
        ServerProcess(
            *trusting(issuer, "--jwks-cooldown", "0"), *FILES, *files, cwd=directory, tls=context
        ) as server,
    ):
        server.issuer, server.pem = issuer, pem
        yield server
        assert server.stop() == 0


def write_authorities(directory, *names):
    (directory / "ca.pem").write_bytes(
        b"".join((directory / f"{n}.pem").read_bytes() for n in names)
    )


def signal_and_wait(server, line):
    seen = len(server.output["stderr"])
    server.send(signal.SIGHUP)
    return server.wait_for_line(line, after=seen)


def ask_health(server, context, session=None):
    """(whether the session was resumed, a session for next time). Raises OSError where it is refused."""
    with (
        server.client.connect() as plain,
        context.wrap_socket(plain, server_hostname="127.0.0.1", session=session) as sock,
    ):
        sock.sendall(b"GET /health HTTP/1.1\r\nHost: k\r\n\r\n")
        if not sock.recv(65536).startswith(b"HTTP/1.1 200"):
            raise ConnectionError("closed")
        return sock.session_reused, sock.session


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_authority_of_clients_that_is_taken_out_is_trusted_no_longer_by_resumed_sessions_either(
    reading, version
):
    write_authorities(reading.cwd, "a", "b")
    signal_and_wait(reading, "read again")
    contexts = {}
    for name in ("a", "b"):
        contexts[name] = trusting_context(reading.pem)
        contexts[name].load_cert_chain(reading.cwd / f"client-{name}.pem")
        contexts[name].minimum_version = contexts[name].maximum_version = version
    _, session = ask_health(reading, contexts["a"])
    is_resumed, session = ask_health(reading, contexts["a"], session)
    assert is_resumed
    write_authorities(reading.cwd, "b")
    line = signal_and_wait(reading, "read again")
    assert line.endswith(
        "certificate cert.pem, key key.pem, CAs of clients ca.pem, CAs of issuers issuers.pem"
    )
    for old in (None, session):
        with pytest.raises(OSError):
            ask_health(reading, contexts["a"], old)
    assert ask_health(reading, contexts["b"])[0] is False
    write_authorities(reading.cwd, "a", "b")
    signal_and_wait(reading, "read again")
    ask_health(reading, contexts["a"])


@pytest.mark.parametrize("file", ["cert.pem", "key.pem", "ca.pem", "issuers.pem"])
@pytest.mark.parametrize("fault", ["rubbish", "empty", "gone"])
def test_one_broken_file_leaves_all_the_old_ones_in_use_with_one_line_that_names_it(
    reading, file, fault
):
    names = ("cert.pem", "key.pem", "ca.pem", "issuers.pem")
    good = {name: (reading.cwd / name).read_bytes() for name in names}
    before, seen = served_certificate_for(reading), len(reading.output["stderr"])
    try:
        write_pair(reading.cwd, "second reading tls")
        write_authorities(reading.cwd, "a")  # the client of these tests is b
        if fault == "gone":
            (reading.cwd / file).unlink()
        else:
            (reading.cwd / file).write_bytes(b"rubbish" if fault == "rubbish" else b"")
        line = signal_and_wait(reading, "the old TLS files stay in use, all of them: ")
        assert file in line
        assert "_file" not in line, "options are not spelled so"
        assert reading.client.get("/health").status == 200
        assert served_certificate_for(reading) == before
        assert sum("the old TLS files" in x for x in reading.output["stderr"][seen:]) == 1
    finally:
        for name, content in good.items():
            (reading.cwd / name).write_bytes(content)
        signal_and_wait(reading, "read again")


def served_certificate_for(server):
    with (
        server.client.connect() as plain,
        server.tls.wrap_socket(plain, server_hostname="127.0.0.1") as sock,
    ):
        return sock.getpeercert(binary_form=True)


def test_authority_of_the_issuer_that_is_taken_out_is_trusted_by_no_fetch_from_then_on(reading):
    signal_and_wait(reading, "as asked: 1 key, the same as before")
    file = reading.cwd / "issuers.pem"
    good = file.read_bytes()
    file.write_bytes((reading.cwd / "b.pem").read_bytes())
    signal_and_wait(reading, "fetching keys failed: .* its TLS certificate is not accepted")
    file.write_bytes(good)
    signal_and_wait(reading, "as asked: 1 key, the same as before")
