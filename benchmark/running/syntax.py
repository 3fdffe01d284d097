"""What a source file does, apart from how it is written and described."""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeVar

__all__ = ["Import", "Syntax", "syntax_of"]

_NO_EFFECT = frozenset({"__all__", "__version__"})


@dataclass(frozen=True)
class Import:
    """An import statement.

    Attributes:
        module: what stands behind ``import`` or ``from``; "" in ``from . import x``.
        level: number of leading dots.
        names: what is imported from it; empty for ``import module`` and ``from module import *``.
    """

    module: str
    level: int = 0
    names: tuple[str, ...] = ()


@dataclass(frozen=True)
class Syntax:
    """What counts of a source file.

    Attributes:
        digest: SHA-256 (hex) over its statements. Layout, comments, docstrings, code that only
            type checkers see, ``__all__`` and ``__version__`` do not count, and all versions of
            Python that can read the file agree.
        imports: at any depth, but not those that only type checkers see.
    """

    digest: str
    imports: tuple[Import, ...]


@lru_cache(maxsize=1024)
def syntax_of(source: bytes) -> Syntax:
    """Return what counts of a source file; it is not run.

    Raises:
        SyntaxError: it is no Python.
    """
    tree = _Bare().visit(ast.parse(source))
    words = "\0".join(_words(tree))
    imports = tuple(each for node in ast.walk(tree) for each in _imports(node))
    return Syntax(hashlib.sha256(words.encode("utf-8", "surrogatepass")).hexdigest(), imports)


N = TypeVar("N", bound=ast.AST)


class _Bare(ast.NodeTransformer):
    """Takes out what has no effect."""

    def visit_Expr(self, node: ast.Expr) -> ast.Expr | None:
        text = isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
        return None if text else self._inside(node)

    def visit_If(self, node: ast.If) -> Any:
        self.generic_visit(node)
        return node.orelse if _name(node.test) == "TYPE_CHECKING" else node

    def visit_JoinedStr(self, node: ast.JoinedStr) -> ast.JoinedStr:
        """Leave out texts without a character, which Python 3.12 puts behind some formats."""
        self.generic_visit(node)
        node.values = [v for v in node.values if getattr(v, "value", None) != ""]
        return node

    def visit_Assign(self, node: ast.Assign) -> ast.Assign | None:
        no_effect = all(_name(target) in _NO_EFFECT for target in node.targets)
        return None if no_effect else self._inside(node)

    def _inside(self, node: N) -> N:
        self.generic_visit(node)
        return node


def _name(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def _imports(node: ast.AST) -> Iterator[Import]:
    if isinstance(node, ast.Import):
        for alias in node.names:
            yield Import(alias.name)
    elif isinstance(node, ast.ImportFrom):
        names = tuple(alias.name for alias in node.names if alias.name != "*")
        yield Import(node.module or "", node.level, names)


def _words(value: Any) -> Iterator[str]:
    """Yield a syntax tree word by word.

    Empty fields have none: newer versions of Python add fields that older code leaves empty.
    """
    if isinstance(value, ast.AST):
        yield f"({type(value).__name__}"
        for name in value._fields:
            inner = getattr(value, name, None)
            if inner is not None and inner != []:
                yield name
                yield from _words(inner)
        yield ")"
    elif isinstance(value, list):
        for each in value:
            yield from _words(each)
    else:
        yield ascii(value)  # which letters can be printed, versions tell otherwise
