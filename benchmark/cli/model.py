"""``model new``: a package with a model that trains, to be changed into somebody's own."""

from __future__ import annotations

import errno
import keyword
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Annotated

import typer

from benchmark.cli.output import show_lines
from benchmark.errors import InputError

__all__ = ["app"]

app = typer.Typer(help="Begin a model of your own.", no_args_is_help=True)
_FILES = {
    "model.txt": "src/{module}.py",
    "pyproject.txt": "pyproject.toml",
    "test.txt": "test_{module}.py",
}


@app.callback()
def _group() -> None:
    """Begin a model of your own."""


@app.command(epilog="Example: python -m benchmark model new mine")
def new(
    name: Annotated[str, typer.Argument(help="Of the model, as it will be given to --model.")],
    out: Annotated[Path | None, typer.Option(help="The folder to make; NAME if not given.")] = None,
) -> None:
    """Write a package with a small model of both tasks that trains, checks and ranks as it is."""
    from benchmark.folders import workplace
    from benchmark.names import check_name
    from benchmark.registry import is_taken

    check_name(name, "NAME")
    module = name.replace("-", "_").replace("+", "_").replace(".", "_")
    if not module.isidentifier() or not module.isascii() or keyword.iskeyword(module):
        raise InputError(f"NAME {name}: choose one that Python can import: letters, digits, - or _")
    if is_taken(name):
        raise InputError(f"NAME {name}: there is a model of this name already")
    folder = Path(name) if out is None else out
    words = {"NAME": name, "MODULE": module, "CLASS": module.title().replace("_", "")}
    try:
        with workplace(folder.absolute()) as draft:
            for source, target in _FILES.items():
                text = (files("benchmark.cli") / "new_model" / source).read_text("utf-8")
                place = draft / target.format(module=module)
                place.parent.mkdir(exist_ok=True)
                place.write_text(Template(text).substitute(words), "utf-8")
            draft.rename(folder.absolute())
    except OSError as error:
        if error.errno in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR):
            raise InputError(f"{folder}: is there and not an empty folder; name another") from None
        raise InputError(f"{folder}: cannot be written: {error.strerror}") from None
    show_lines(
        [
            f"{folder} is written. Then:",
            f"  pip install --editable {folder}",
            f"  python -m benchmark check-model {name}",
            f"  python -m benchmark run --model popularity,{name} --preset quick",
        ]
    )
