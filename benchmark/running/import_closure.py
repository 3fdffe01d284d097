"""Which source files a module stands on: its import closure, read from syntax trees.

Nothing is imported. Imports inside functions count; those that only type checkers see do not.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from importlib.util import find_spec
from pathlib import Path

from benchmark.running.syntax import Import, syntax_of

__all__ = ["import_closure", "source_file"]


def import_closure(
    roots: Iterable[str],
    packages: Collection[str],
    left_out: Collection[str] = (),
    not_as_parent: Collection[str] = (),
) -> dict[str, Path]:
    """Return the source files that the roots stand on, themselves included, by module.

    Args:
        roots: dotted names of modules.
        packages: names of the top-level packages to stay in.
        left_out: modules that never count, nor do those below them.
        not_as_parent: packages whose own ``__init__`` counts only where something is imported
            from it, not where it is merely the parent of a module.
    """
    files: dict[str, Path] = {}
    waiting = [name for root in roots for name in _with_parents(root, not_as_parent)]
    while waiting:
        name = waiting.pop()
        if name in files or not _within(name, packages) or _within(name, left_out):
            continue
        file = source_file(name)
        if file is None:
            continue
        files[name] = file
        package = name if file.name == "__init__.py" else name.rpartition(".")[0]
        for each in syntax_of(file.read_bytes()).imports:
            base = _base(each, package)
            if _within(base, packages):
                for target in _targets(base, each.names):
                    waiting += _with_parents(target, not_as_parent)
    return files


def source_file(module: str) -> Path | None:
    """Return where a module's source lies; ``None`` if there is none. Nothing is imported."""
    top, *rest = module.split(".")
    try:
        spec = find_spec(top)
    except ValueError:  # a module made by hand, such as __main__
        return None
    if spec is None:
        return None
    if not rest and spec.submodule_search_locations is None:
        file = Path(spec.origin or "")
        return file if file.suffix == ".py" else None
    for root in spec.submodule_search_locations or []:
        place = Path(root, *rest)
        for file in (place / "__init__.py", place.with_name(f"{place.name}.py")):
            if file.is_file() and (rest or file.name == "__init__.py"):
                return file
    return None


def _within(module: str, packages: Collection[str]) -> bool:
    parts = module.split(".")
    return any(".".join(parts[:size]) in packages for size in range(1, len(parts) + 1))


def _base(each: Import, package: str) -> str:
    """Return the module that stands behind ``from`` or ``import``, in a module of ``package``."""
    if not each.level:
        return each.module
    parts = package.split(".")
    above = parts[: len(parts) - each.level + 1]
    return ".".join([*above, each.module] if each.module else above)


def _targets(base: str, names: tuple[str, ...]) -> set[str]:
    """Return the modules that ``from base import names`` imports, apart from parents."""
    inner = {name: f"{base}.{name}" for name in names}
    return {inner[n] if source_file(inner[n]) else base for n in names} or {base}


def _with_parents(module: str, not_as_parent: Collection[str]) -> list[str]:
    parts = module.split(".")
    parents = [".".join(parts[:size]) for size in range(1, len(parts))]
    return [*(parent for parent in parents if parent not in not_as_parent), module]
