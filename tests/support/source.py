"""The source tree as data, for the tests that hold its rules: modules, what they import, functions, exemptions."""

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef

CODES = r"[A-Z]+[0-9]+(?:[\s,]+[A-Z]+[0-9]+)*"
EXEMPTION = re.compile(
    rf"#\s*(?:(?:ruff:\s*)?noqa(?::\s*{CODES})?|type:\s*ignore(?:\[[^\]]*\])?|pragma:\s*no\s?\w+|fmt:\s*(?:off|skip)"
    r"|mypy:\s*[\w-]+(?:=\S+)?)(?P<reason>.*)"
)


def visible_names(folder: Path) -> set[str]:
    """What stands at the top of a folder; files of tools begin with a dot, and packages are built in two folders."""
    return {path.name for path in folder.iterdir() if not path.name.startswith(".")} - {"build", "dist"}


@dataclass(frozen=True)
class Import:
    """One imported name: `a.b` for `import a.b`, `a.b.c` for `from a.b import c`, whether c is a module or not."""

    name: str
    line: int
    runs_at_start: bool
    """Executed when the module is imported: neither in a function nor for the type checker only."""

    def reaches(self, package: str) -> bool:
        """True if this imports `package` or something in it."""
        return self.name == package or self.name.startswith(f"{package}.")


@dataclass(frozen=True)
class Module:
    """One source file; `name` is dotted (`dicomtls.tls.context`), a package's own is that of its folder."""

    name: str
    path: Path
    text: str

    @cached_property
    def tree(self) -> ast.Module:
        """The parsed text."""
        return ast.parse(self.text)

    @property
    def is_package(self) -> bool:
        """True for an `__init__.py`."""
        return self.path.name == "__init__.py"

    def finding(self, line: int, what: str) -> str:
        """`path:line: what`, as tools print it."""
        return f"{self.path}:{line}: {what}"

    def imports(self) -> list[Import]:
        """Every import, wherever it stands."""
        return list(self._imports(self.tree, runs_at_start=True))

    def _imports(self, node: ast.AST, *, runs_at_start: bool) -> Iterator[Import]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.Import):
                yield from (Import(alias.name, child.lineno, runs_at_start) for alias in child.names)
            elif isinstance(child, ast.ImportFrom):
                base = self._absolute(child)
                yield from (Import(f"{base}.{alias.name}", child.lineno, runs_at_start) for alias in child.names)
            else:
                later = isinstance(child, FunctionNode | ast.Lambda) or _is_type_checking(child)
                yield from self._imports(child, runs_at_start=runs_at_start and not later)

    def _absolute(self, node: ast.ImportFrom) -> str:
        if not node.level:
            return node.module or ""
        parts = self.name.split(".")
        base = parts[: len(parts) - node.level + (1 if self.is_package else 0)]
        return ".".join([*base, *([node.module] if node.module else [])])

    def functions(self) -> list[FunctionNode]:
        """Every function and method, nested ones too."""
        return [node for node in ast.walk(self.tree) if isinstance(node, FunctionNode)]

    def calls(self) -> list[tuple[str, int]]:
        """The last part of every called name with its line: `wrap_socket` for `context.wrap_socket()`."""
        called = [node for node in ast.walk(self.tree) if isinstance(node, ast.Call)]
        return [
            (node.func.id if isinstance(node.func, ast.Name) else node.func.attr, node.lineno)
            for node in called
            if isinstance(node.func, ast.Name | ast.Attribute)
        ]

    def exemptions(self) -> list[tuple[int, str]]:
        """Each comment that switches off a check, as its line and the reason that follows (often empty)."""
        tokens = tokenize.generate_tokens(io.StringIO(self.text).readline)
        comments = [(token.start[0], token.string) for token in tokens if token.type == tokenize.COMMENT]
        matches = [(line, EXEMPTION.search(text)) for line, text in comments]
        return [(line, match["reason"].strip(" \t#:-")) for line, match in matches if match]

    def holds_code(self) -> bool:
        """True for more than a docstring, imports and names given to values."""
        plain = (ast.Import, ast.ImportFrom, ast.Assign, ast.AnnAssign)
        return any(
            not isinstance(node, plain) and not _is_docstring(node) and not _is_type_checking(node)
            for node in self.tree.body
        )


def function_length(node: FunctionNode) -> int:
    """Lines from `def` to the end, those of the docstring not counted."""
    docstring = node.body[0] if _is_docstring(node.body[0]) else None
    return _lines(node) - (_lines(docstring) if docstring else 0)


@cache
def read_modules(folder: str) -> list[Module]:
    """Every module below `folder` of the repository; each is parsed once, for all rules."""
    found = []
    for path in sorted((REPOSITORY / folder).rglob("*.py")):
        relative = path.relative_to(REPOSITORY)
        parts = relative.with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        found.append(Module(name, relative, path.read_text(encoding="utf-8")))
    return found


def _lines(node: ast.stmt) -> int:
    return (node.end_lineno or node.lineno) - node.lineno + 1


def _is_docstring(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def _is_type_checking(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test) in {"TYPE_CHECKING", "typing.TYPE_CHECKING"}
