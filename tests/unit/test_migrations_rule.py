"""A migration runs while the version before it still works: what may stand in one, and what must
be argued.

A new version is rolled out replica by replica behind its migrations. So they only add; what takes
away or narrows says in `older_replicas` what the replicas of the version before do meanwhile.
There is no way back: a mistake is mended by the next migration, or by the backup.
"""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from shared.db import SCHEMAS
from shared.migrating import MIGRATIONS

ARGUED = "older_replicas"
FILES = [path for one in SCHEMAS for path in sorted((MIGRATIONS / one / "versions").glob("*.py"))]
_TAKES_AWAY = {
    "drops something": r"\bDROP\b(?! (DEFAULT|NOT NULL|INDEX|EXPRESSION))",
    "renames something": r"\bRENAME\b",
    "changes a type": r"\bALTER (COLUMN )?\S+ (SET DATA )?TYPE\b",
    "demands a value": r"\bSET NOT NULL\b",
    "narrows what is allowed": r"\bADD (CONSTRAINT|CHECK|UNIQUE|PRIMARY KEY|FOREIGN KEY)\b",
    "deletes rows": r"\b(DELETE FROM|TRUNCATE)\b",
    "moves a table": r"\bSET (SCHEMA|TABLESPACE)\b",
    "takes a right": r"\bREVOKE\b",
}
_ADDED = re.compile(r"\bADD (?:COLUMN )?(?:IF NOT EXISTS )?(?!CONSTRAINT)[^,]*", re.IGNORECASE)
_UNIQUE = re.compile(r"\bCREATE UNIQUE INDEX\b.*?\bON (?:ONLY )?(\w+)", re.IGNORECASE)
_CREATED = re.compile(r"\bCREATE TABLE (?:IF NOT EXISTS )?(\w+)", re.IGNORECASE)
_LITERAL = re.compile(r"'[^']*'")
_COMMENT = re.compile(r"--[^\n]*")


@dataclass
class Recorder:
    """In the place of alembic's `op`: what a migration would have done."""

    statements: list[str] = field(default_factory=list)

    def execute(self, statement: Any) -> None:
        self.statements.append(" ".join(_COMMENT.sub("", str(statement)).split()))

    def create_table(self, name: str, *columns: Any) -> None:
        self.statements.append(f"CREATE TABLE {name} ()")


def load(path: Path) -> ModuleType:
    spec = spec_from_file_location(f"migration_{path.parent.parent.name}_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def statements_of(module: ModuleType) -> list[str]:
    recorder = Recorder()
    module.op = recorder  # type: ignore[attr-defined]
    module.upgrade()
    return recorder.statements


def hazards(statements: list[str]) -> Iterator[str]:
    """What the version before might trip over; a table is free until its migration has ended."""
    fresh = {found for one in statements for found in _CREATED.findall(one)}
    for statement in statements:
        bare = _LITERAL.sub("''", statement)
        for what, pattern in _TAKES_AWAY.items():
            if re.search(pattern, bare, re.IGNORECASE):
                yield f"{what}: {statement}"
        for added in _ADDED.findall(bare) if bare.upper().startswith("ALTER TABLE") else ():
            if re.search(r"\bNOT NULL\b", added) and "DEFAULT" not in added:
                yield f"demands a value: {statement}"
        for table in _UNIQUE.findall(bare):
            if table not in fresh:
                yield f"narrows what is allowed: {statement}"


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.parent.name}-{path.stem}")
def test_a_migration_only_adds_or_says_what_older_replicas_do(path: Path) -> None:
    module = load(path)
    found, said = list(hazards(statements_of(module))), getattr(module, ARGUED, "")

    assert bool(found) == bool(said), found or f"{ARGUED} argues what is not there"
    assert not hasattr(module, "downgrade")
    assert not said or len(said.split()) >= 8


@pytest.mark.parametrize("service", SCHEMAS)
def test_migrations_stand_in_one_line(service: str) -> None:
    """Two heads, or a changed order, and a database that has the one lacks the other."""
    modules = [load(path) for path in FILES if path.parent.parent.name == service]

    assert [module.revision for module in modules] == [f"{n + 1:04}" for n in range(len(modules))]
    assert [module.down_revision for module in modules] == [
        None,
        *(module.revision for module in modules[:-1]),
    ]


@pytest.mark.parametrize(
    ("statement", "what"),
    [
        ("ALTER TABLE t DROP COLUMN a", "drops something"),
        ("ALTER TABLE t ADD b int, DROP a", "drops something"),
        ("DROP TABLE t", "drops something"),
        ("ALTER TABLE t DROP CONSTRAINT c", "drops something"),
        ("alter table t rename column a to b", "renames something"),
        ("ALTER TABLE t ALTER a TYPE bigint", "changes a type"),
        ("ALTER TABLE t ALTER COLUMN a SET DATA TYPE bigint", "changes a type"),
        ("ALTER TABLE t ALTER a SET NOT NULL", "demands a value"),
        ("ALTER TABLE t ADD a int NOT NULL", "demands a value"),
        ("ALTER TABLE t ADD a int DEFAULT 1, ADD b int NOT NULL", "demands a value"),
        ("ALTER TABLE t ADD CONSTRAINT c CHECK (a > 0)", "narrows what is allowed"),
        ("CREATE UNIQUE INDEX i ON t (a)", "narrows what is allowed"),
        ("DELETE FROM t", "deletes rows"),
        ("TRUNCATE t", "deletes rows"),
        ("ALTER TABLE t SET SCHEMA other", "moves a table"),
        ("REVOKE ALL ON t FROM somebody", "takes a right"),
    ],
)
def test_what_takes_away_is_seen(statement: str, what: str) -> None:
    assert [found.partition(":")[0] for found in hazards([statement])] == [what]


@pytest.mark.parametrize(
    "statements",
    [
        ["CREATE TABLE t (a int NOT NULL)", "CREATE UNIQUE INDEX i ON t (a)"],
        ["ALTER TABLE t ADD COLUMN a int NOT NULL DEFAULT 0, ADD b text"],
        ["ALTER TABLE t ADD COLUMN IF NOT EXISTS a text NOT NULL DEFAULT ''"],
        ["ALTER TABLE t ALTER a DROP NOT NULL"],
        ["CREATE INDEX i ON t (a)", "DROP INDEX j"],
        ["INSERT INTO t VALUES ('DROP TABLE t')"],
        ["CREATE TABLE t (a int REFERENCES s ON DELETE CASCADE)"],
    ],
)
def test_what_only_adds_passes(statements: list[str]) -> None:
    assert list(hazards(statements)) == []


def test_no_migration_writes_around_the_recorder() -> None:
    """All goes through `op.execute` and `create_table`: nothing else is looked at above."""
    for path in FILES:
        calls = {
            node.func.attr
            for node in ast.walk(ast.parse(path.read_text()))
            if isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and isinstance(node.func.value, ast.Name)
            and node.func.value.id == "op"
        }
        assert calls <= {"execute"}, path.name
