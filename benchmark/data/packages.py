"""Where an installed package lies, told by what its installer wrote down: nothing is imported.

Only distributions in folders of packages count: the interpreter's own, and the one that this
package itself was installed into, which a ``.pth`` file may have added. Never the working folder,
nor what else ``PYTHONPATH`` names.
"""

from __future__ import annotations

import json
import site
import sysconfig
from collections.abc import Iterator
from importlib.metadata import Distribution, distributions
from pathlib import Path
from urllib.parse import urlparse
from urllib.request import url2pathname

__all__ = ["installed", "is_package_name", "package_folder"]


def is_package_name(name: str) -> bool:
    """Return whether ``name`` is the dotted name of a package."""
    return all(part.isidentifier() for part in name.split("."))


def package_folder(package: str) -> Path | None:
    """Return the folder of an installed package, ``None`` where there is none.

    Args:
        package: its dotted name.
    """
    if not is_package_name(package):
        return None
    top, *inner = package.split(".")
    for distribution in _having(top):
        for root in _roots(distribution, top):
            folder = root.joinpath(top, *inner)
            if folder.is_dir():
                return folder
    return None


def _having(top: str) -> Iterator[Distribution]:
    """Yield the distributions that may have a package, the likeliest first.

    These are the one of its name, those that say they have it, and, as most installers no longer
    write down what a distribution has at its top, those that say nothing.
    """
    yield from distributions(name=top, path=_places())
    silent = []
    for distribution in installed():
        names = distribution.read_text("top_level.txt")
        if names is None:
            silent.append(distribution)
        elif top in names.split():
            yield distribution
    yield from silent


def installed() -> Iterator[Distribution]:
    """Yield all installed distributions."""
    return iter(distributions(path=_places()))


def _places() -> list[str]:
    """Return the folders that installers put packages into."""
    user = [site.getusersitepackages()] if site.ENABLE_USER_SITE else []
    own = [sysconfig.get_path(name) for name in ("purelib", "platlib")]
    return list(dict.fromkeys([*site.getsitepackages(), *user, *own, *_of_this_package()]))


def _of_this_package() -> list[str]:
    """Return the folder that an installer put this package into; none where it is a checkout."""
    folder = Path(__file__).resolve().parents[2]
    written_down = any(folder.glob("search_rec_benchmark-*.dist-info"))
    return [str(folder)] if written_down else []


def _roots(distribution: Distribution, top: str) -> Iterator[Path]:
    """Yield the folders that the distribution's package may lie in."""
    if any(file.parts[0] == top for file in distribution.files or ()):
        yield Path(str(distribution.locate_file("")))
    try:
        origin = json.loads(distribution.read_text("direct_url.json") or "{}")
    except ValueError:
        return
    if origin.get("dir_info", {}).get("editable"):
        source = Path(url2pathname(urlparse(origin["url"]).path))
        yield from (source, source / "src")
