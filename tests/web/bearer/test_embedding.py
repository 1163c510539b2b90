"""What an application loads that embeds the token check: no more than it needs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def test_embedding_loads_no_kmip_no_database_and_no_option_parser() -> None:
    script = """
import sys
import kms_tornado
from kms_tornado.web.bearer.mixin import BearerRequestHandler
from kms_tornado.web.bearer.required_claims import requires
from kms_tornado.web.bearer.auth import BearerAuth
from tornado.web import Application
class Orders(BearerRequestHandler):
    @requires(scope="x")
    def get(self): pass
Application([("/", Orders)], bearer_auth=BearerAuth.from_issuer("https://issuer.example/", audience="a"))
heavy = ("sqlalchemy", "alembic", "configargparse", "kms_tornado.kmip", "kms_tornado.store", "kms_tornado.domain",
         "kms_tornado.operations", "kms_tornado.options", "kms_tornado.settings", "kms_tornado.crypto", "psycopg", "sqlite3",
         "kms_tornado.web.app", "kms_tornado.auth.minting")
print(sorted(name for name in sys.modules if name.startswith(heavy)))
"""  # fmt: skip
    root = Path(__file__).parents[3]
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    assert done.stdout.strip() == "[]", done.stdout + done.stderr
    assert done.stderr == ""


def test_importing_the_package_alone_loads_not_even_tornado() -> None:
    script = "import sys, kms_tornado; print(kms_tornado.__version__, [n for n in sys.modules if n.split('.')[0] in ('tornado', 'jose', 'cryptography')])"
    root = Path(__file__).parents[3]
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    assert done.stdout.endswith("[]\n"), done.stdout + done.stderr
