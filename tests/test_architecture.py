"""The direction of imports, and which module may know which library (`docs/architecture.md`)."""

from __future__ import annotations

import ast
import functools
import re
from collections.abc import Iterable, Iterator, Sequence
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any

import pytest

from .rows import each_row

PACKAGE = Path(__file__).parent.parent / "kms_tornado"

#: What each part may import of the package: what stands left of it in docs/architecture.md's picture.
ALLOWED = {
    "errors": set(),
    "strict_json": set(),
    "lenient_json": set(),
    "redaction": set(),
    "cores": set(),
    "networks": {"errors", "wording"},
    "public_urls": {"errors", "wording"},
    "request_context": set(),
    "logs": {"redaction", "request_context", "wording"},
    "user_names": set(),
    "streams": set(),
    "wording": set(),
    "argument_types": {"errors"},
    "auth": {"argument_types", "errors", "strict_json", "lenient_json", "user_names", "wording"},
    "kmip": {"errors", "strict_json", "wording"},
    "domain": {"errors", "kmip", "user_names"},
    "crypto": {"errors", "kmip", "domain"},
    "store": {"audit", "errors", "kmip", "domain", "user_names"},
    "operations": {
        "audit",
        "errors",
        "strict_json",
        "auth",
        "kmip",
        "domain",
        "crypto",
        "store",
        "redaction",
        "settings",
        "wording",
    },
    "service": {
        "audit",
        "cores",
        "errors",
        "strict_json",
        "auth",
        "kmip",
        "domain",
        "crypto",
        "store",
        "operations",
        "redaction",
        "settings",
        "wording",
        "user_names",
    },
    "settings": {"argument_types", "errors", "auth", "networks", "user_names"},
    "options": {
        "errors",
        "auth",
        "networks",
        "public_urls",
        "redaction",
        "settings",
        "user_names",
        "wording",
    },
    "client": {
        "argument_types",
        "errors",
        "strict_json",
        "lenient_json",
        "streams",
        "user_names",
        "kmip",
        "wording",
    },
    "transport": {"errors", "networks", "wording"},
    "kmip_server": {
        "audit",
        "auth",
        "crypto",
        "errors",
        "kmip",
        "request_context",
        "service",
        "settings",
        "transport",
        "user_names",
        "wording",
    },
    "web": {
        "argument_types",
        "audit",
        "errors",
        "networks",
        "public_urls",
        "redaction",
        "request_context",
        "auth",
        "kmip",
        "domain",
        "crypto",
        "store",
        "operations",
        "service",
        "settings",
        "transport",
        "wording",
        "kmip_server",  # of web/process alone, see below
    },
    "audit": set(),
    "commands": {
        "audit",
        "auth",
        "crypto",
        "domain",
        "errors",
        "logs",
        "options",
        "redaction",
        "service",
        "settings",
        "store",
        "streams",
        "user_names",
        "web",
        "wording",
    },
    "program": {
        "commands",
        "cores",
        "errors",
        "logs",
        "options",
        "settings",
        "streams",
        "transport",
        "web",
        "wording",
    },
    "__main__": {"program"},
    "testing": {"argument_types", "auth", "errors", "web"},
    "__init__": {"auth", "web"},  # for type checkers, and on demand
}

#: What a folder's modules may import of their own part besides one another: folders and modules.
ALLOWED_WITHIN: dict[str, set[str]] = {
    "auth/tokens": set(),
    "auth/issuers": {"auth/regular_file.py", "auth/request_url.py", "auth/tokens"},
    "auth/rules": {"auth/deny_list.py", "auth/issuers", "auth/principal.py", "auth/tokens"},
    "auth/bound": {
        "auth/credentials.py", "auth/issuers", "auth/principal.py", "auth/request_url.py", "auth/rules", "auth/tokens",
    },
    # The library knows no files and no command line.
    "client": {"client/calls", "client/configuration", "client/login"},
    "client/calls": {"client/errors.py", "client/exchanges.py"},
    "client/configuration": {"client", "client/login/tokens.py"},
    "client/login": {"client", "client/configuration"},
    "client/key_files": {"client"},
    "client/files": {"client", "client/calls"},
    "client/cli": {"client", "client/configuration"},
    "client/cli/objects": {"client", "client/calls", "client/cli"},
    "client/cli/files": {"client", "client/cli", "client/files"},
    "client/cli/keys": {"client", "client/calls", "client/cli", "client/cli/objects", "client/key_files"},
    "client/cli/account": {"client", "client/calls", "client/cli", "client/configuration", "client/login"},
    "crypto": set(),
    "crypto/keys": {"crypto"},
    "crypto/pkcs12": {"crypto", "crypto/keys"},
    "crypto/encryption": {"crypto", "crypto/keys"},
    "crypto/signing": {"crypto", "crypto/keys"},
    "crypto/sealing": {"crypto"},
    "crypto/tls": set(),
    "kmip/codecs": {"kmip/kmip1/names.py", "kmip/suggestions.py", "kmip/tables.py", "kmip/ttlv.py"},
    "kmip/messages": {"kmip", "kmip/codecs", "kmip/kmip1"},
    "kmip/payloads": {"kmip"},
    "operations/common": set(),
    "operations/objects": {"operations/common"},
    "service/load": set(),
    "service/auditing": {"service/private_file.py"},
    "service/master_keys": {"service/private_file.py"},
    "service/objects": {"service/auditing", "service/service.py"},
    "service/ownership": {"service/service.py"},
    "service/verification": {"service/auditing"},
    "store/interface": {"store"},
    "store/sql": {"store", "store/interface", "store/sql/audit", "store/sql/search", "store/sql/tables", "store/sql/upkeep"},
    "store/sql/tables": {"store", "store/interface", "store/sql"},
    "store/sql/search": {"store", "store/interface", "store/sql", "store/sql/tables"},
    "store/sql/audit": {"store", "store/interface", "store/sql", "store/sql/tables", "store/sql/upkeep"},
    "store/sql/upkeep": {"store", "store/interface", "store/sql", "store/sql/tables"},
    "store/sqlite": {"store", "store/interface", "store/sql", "store/sql/audit", "store/sql/search", "store/sql/tables"},
    "store/postgres": {
        "store", "store/interface", "store/postgres/connections", "store/postgres/writing", "store/sql", "store/sql/audit", "store/sql/tables",
    },
    "store/postgres/connections": {"store", "store/interface", "store/postgres"},
    "store/postgres/writing": {
        "store", "store/interface", "store/postgres", "store/postgres/connections", "store/sql", "store/sql/audit", "store/sql/tables",
    },
    "commands/audit": {"commands"},
    "web/bearer": set(),
    "web/bearer/fast_routes": {"web/bearer"},
    "web/metrics": {"web/paced.py"},
    "web/handlers": {"web", "web/bearer", "web/metrics", "web/ui/page.py"},
    "web/ui": {"web", "web/bearer", "web/handlers"},
    "web/process": {"web", "web/bearer", "web/metrics", "web/process/dev", "web/ui"},
    "web/process/dev": {"web/ui/discovery.py"},
}  # fmt: skip

#: What a function may have at most, so that it is read at a glance.
MOST_LINES = 50

#: Where a library may be imported: a whole part, a folder of one, or single modules.
HOMES = {
    "tornado": {"web", "transport", "testing"},
    "jose": {"auth/tokens/signature.py", "auth/minting.py"},
    "configargparse": {"options"},
    "sqlalchemy": {"store"},
    "alembic": {"store"},
    "psycopg": {"store"},
    "click": {"client/cli"},
    "rich": {"client/cli", "commands/progress.py"},
    "pkcs11": {"service/master_keys/hsm.py"},
    "urllib3": {"client"},
    "authlib": {"client/login"},
    "joserfc": {"client/key_files/jwk.py", "client/login/id_tokens.py"},
    "requests": {"client/login/issuer_transport.py"},
    "keyring": {"client/login/token_keyring.py"},
    "cryptography": {
        "crypto", "audit/signing.py", "auth/certificates.py", "auth/issuers/jwk.py", "auth/issuers/keyset.py", "auth/tokens/signature.py", "auth/minting.py",
        "client/tls.py", "client/proof_key.py", "client/key_files", "client/files", "client/cli/keys",
    },
}  # fmt: skip

MODULES = sorted(path.relative_to(PACKAGE) for path in PACKAGE.rglob("*.py"))
_NAMES = frozenset(module.as_posix() for module in MODULES)

#: What an application loads that embeds the handlers.
EMBEDDED = [name for name in sorted(_NAMES) if name.startswith("web/bearer/")] + ["testing.py"]


def part_of(module: Path) -> str:
    return module.parts[0].removesuffix(".py")


@functools.cache
def parsed(module: Path) -> ast.Module:
    return ast.parse((PACKAGE / module).read_text())


@functools.cache
def statements(module: Path) -> Sequence[ast.stmt | ast.excepthandler]:
    """All of them, at whatever depth. No expression has one: to look into those, too, takes ten times as long."""
    found: list[Any] = [*parsed(module).body]
    for node in found:  # which grows meanwhile
        for name in ("body", "handlers", "orelse", "finalbody", "cases"):
            found += getattr(node, name, ())
    return found


@functools.cache
def imports(module: Path) -> frozenset[tuple[str, ...]]:
    """Absolute dotted names as tuples; relative imports made absolute."""
    return frozenset(_imports(module))


def _imports(module: Path) -> Iterator[tuple[str, ...]]:
    package = ("kms_tornado", *module.parts[:-1])
    for node in statements(module):
        if isinstance(node, ast.Import):
            yield from (tuple(alias.name.split(".")) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            name = (*base, *(node.module.split(".") if node.module else ()))
            if name == ("kms_tornado",):
                yield from ((*name, alias.name) for alias in node.names)
            else:
                yield name


def test_module_imports_only_what_stands_left_of_its_part() -> None:
    others = {
        f"{module} → {name[1]}"
        for module in MODULES
        for name in imports(module)
        if name[0] == "kms_tornado" and len(name) > 1
        if name[1] not in ALLOWED[part_of(module)] | {part_of(module), "__version__"}
    }
    assert others == set()


def test_library_is_imported_only_in_its_home() -> None:
    elsewhere = set()
    for module in MODULES:
        places = {part_of(module), module.as_posix(), *(each.as_posix() for each in module.parents)}
        for name in imports(module):
            homes = HOMES.get(name[0])
            if homes is not None and not homes & places:
                elsewhere.add(f"{module} → {'.'.join(name)}")
    assert elsewhere == set()


def test_page_about_the_architecture_names_every_folder_and_no_module_that_is_gone() -> None:
    page = (PACKAGE.parent / "docs/architecture.md").read_text()
    named = set(re.findall(r"`([\w/]+(?:/|\.py))`", page))
    folders = {f"{module.parent.as_posix()}/" for module in MODULES if module.parent.parts}
    assert folders - named == set()
    places = (PACKAGE, PACKAGE / "client", PACKAGE / "web" / "ui", PACKAGE.parent)
    assert {name for name in named if not any((place / name).exists() for place in places)} == set()


def test_every_part_of_the_package_has_its_place_in_the_picture() -> None:
    assert {part_of(module) for module in MODULES} == set(ALLOWED)


@pytest.mark.parametrize(("wing", "other"), [("sqlite", "postgres"), ("postgres", "sqlite")])
def test_databases_of_the_store_import_nothing_of_each_other(wing: str, other: str) -> None:
    of_wing = [module for module in MODULES if module.parts[:2] == ("store", wing)]
    assert of_wing
    for module in of_wing:
        assert ("kms_tornado", "store", other) not in {name[:3] for name in imports(module)}


def test_transports_know_nothing_of_each_other() -> None:
    """What starts both of them alone imports both: the server, in web/process."""
    importers = {
        module.parent.as_posix()
        for module in MODULES
        if part_of(module) != "kmip_server"
        if "kmip_server" in {name[1] for name in imports(module) if len(name) > 1}
    }
    assert importers == {"web/process"}


@each_row("module", EMBEDDED)
def test_what_applications_embed_imports_only_the_token_layer(module: str) -> None:
    ours = {name[1] for name in imports(Path(module)) if name[0] == "kms_tornado" and len(name) > 1}
    allowed = {
        "argument_types",
        "errors",
        "redaction",
        "request_context",
        "wording",
        "auth",
        "web",
        "__version__",
    }
    assert ours <= allowed


def test_every_module_says_what_it_owns() -> None:
    silent = [str(module) for module in MODULES if not ast.get_docstring(parsed(module))]
    assert silent == []


def module_named(name: tuple[str, ...]) -> Path | None:
    """The module that a dotted name stands for; None where it is none of ours."""
    path = "/".join(name[1:])
    candidates = (f"{path}.py", f"{path}/__init__.py" if path else "__init__.py")
    return next((Path(candidate) for candidate in candidates if candidate in _NAMES), None)


@functools.cache
def imported_modules(module: Path) -> frozenset[Path]:
    """The modules of ours that are loaded together with this one."""
    return frozenset(_modules_imported_by(module, parsed(module).body))


def _modules_imported_by(module: Path, body: Iterable[ast.stmt]) -> Iterator[Path]:
    """The modules of ours that these statements of a module import."""
    package = ("kms_tornado", *module.parts[:-1])
    for node in body:
        if not isinstance(node, ast.ImportFrom):
            continue
        base = package[: len(package) - node.level + 1] if node.level else ()
        name = (*base, *(node.module.split(".") if node.module else ()))
        if name[0] != "kms_tornado":
            continue
        for alias in node.names:  # a module of a package, or a name within a module
            found = module_named((*name, alias.name)) or module_named(name)
            if found is not None:
                yield found


def test_no_modules_import_one_another_in_a_circle_not_even_for_their_types() -> None:
    graph = {
        module: imported_modules(module) | set(_modules_imported_by(module, _for_types(module)))
        for module in MODULES
        if module.name != "__init__.py"  # the package's names all modules, and has the version
    }
    try:
        TopologicalSorter({module: names - {module} for module, names in graph.items()}).prepare()
    except CycleError as exc:
        pytest.fail(" → ".join(map(str, exc.args[1])))


def _for_types(module: Path) -> Iterator[ast.stmt]:
    for node in parsed(module).body:
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            yield from node.body


@each_row("folder", ALLOWED_WITHIN)
def test_folder_imports_only_what_stands_below_it_in_its_part(folder: str) -> None:
    part, allowed = folder.partition("/")[0], {folder, *ALLOWED_WITHIN[folder]}
    modules = [module for module in MODULES if module.parent.as_posix() == folder]
    assert modules
    others = {
        f"{module} → {imported}"
        for module in modules
        for imported in imported_modules(module)
        if part_of(imported) == part and imported.name != "__init__.py"
        if not {imported.as_posix(), imported.parent.as_posix()} & allowed
    }
    assert others == set()


def test_no_function_is_longer_than_it_takes_to_read_at_a_glance() -> None:
    too_long = [
        f"{module}:{node.lineno} {node.name}"
        for module in MODULES
        if "migrations" not in module.parts  # written once, never read again
        for node in statements(module)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.end_lineno is not None
        and node.end_lineno - node.lineno > MOST_LINES
    ]
    assert too_long == []


#: Where a handler takes whatever exception comes and does not raise it again, and how many do: at the edge of a task,
#: a thread, a request or a job, and where an application's own code is called.
BROAD = {
    "auth/authenticator.py": 1,
    "auth/issuers/key_cache.py": 1,
    "auth/tokens/signature.py": 1,
    "client/cli/running.py": 1,
    "client/files/write_behind.py": 1,
    "client/login/token_keyring.py": 1,
    "kmip_server/message.py": 2,
    "logs.py": 2,
    "redaction.py": 1,
    "service/auditing/audit.py": 1,
    "service/auditing/indexer.py": 2,
    "service/auditing/stream.py": 2,
    "service/auditing/trail.py": 1,
    "service/proof_memory.py": 1,
    "service/verification/scrub.py": 1,
    "store/health.py": 1,
    "store/postgres/exchange.py": 1,
    "store/postgres/writing/additions.py": 1,
    "store/postgres/writing/batches.py": 3,
    "store/postgres/writing/writer.py": 1,
    "store/sql/tables/used_proofs.py": 1,
    "store/sqlite/writer.py": 2,
    "web/bearer/fast_routes/exchange.py": 4,
    "web/bearer/hook_caller.py": 1,
    "web/bearer/mixin.py": 4,
    "web/bearer/refusal_texts.py": 1,
    "web/bearer/upkeep.py": 1,
    "web/fast_lane.py": 1,
    "web/process/workers.py": 1,
}

_BROAD_NAMES = {"Exception", "BaseException"}


def _takes_everything(handler: ast.ExceptHandler) -> bool:
    names = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return any(
        name is None or (isinstance(name, ast.Name) and name.id in _BROAD_NAMES) for name in names
    )


def _raises_again(handler: ast.ExceptHandler) -> bool:
    last = handler.body[-1]
    return isinstance(last, ast.Raise) and last.exc is None


def _broad_handlers(module: Path) -> list[ast.ExceptHandler]:
    return [
        node
        for node in statements(module)
        if isinstance(node, ast.ExceptHandler)
        if _takes_everything(node) and not _raises_again(node)
    ]


def test_whatever_exception_comes_is_taken_in_known_places_alone() -> None:
    found = {module.as_posix(): len(_broad_handlers(module)) for module in MODULES}
    assert {module: count for module, count in found.items() if count} == BROAD


def test_handler_that_takes_every_exception_says_why() -> None:
    silent = []
    for module in MODULES:
        lines = (PACKAGE / module).read_text().splitlines()
        for handler in _broad_handlers(module):
            clause, next_line = lines[handler.lineno - 1 : handler.lineno + 1]
            if "  # " not in clause and not next_line.lstrip().startswith("# "):
                silent.append(f"{module}:{handler.lineno}")
    assert silent == []


#: The tests of another file, which run here with a fixture of this one.
_RUN_AGAIN = {"tests/kmip_server/test_conversations.py"}


def test_file_of_tests_takes_nothing_out_of_another_one() -> None:
    """What several of them share has a module whose name does not begin with test_: that is where it is looked for."""
    takers = {
        path.relative_to(PACKAGE.parent).as_posix()
        for path in (PACKAGE.parent / "tests").rglob("*.py")
        if re.search(
            r"^ *from [\w.]*\btest_\w+ import |^ *from \.+ import test_", path.read_text(), re.M
        )
    }
    assert takers == _RUN_AGAIN
