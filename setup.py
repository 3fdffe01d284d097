"""The part of the build that ``pyproject.toml`` cannot say: cards come with the package."""

from pathlib import Path
from shutil import copy

from setuptools import setup
from setuptools.command.build_py import build_py


class BuildWithCards(build_py):
    """Copies the cards of ``datasets/``, which is no package, into ``benchmark``."""

    def run(self) -> None:
        """Build the packages, then put the cards beside them."""
        super().run()
        if not self.editable_mode:
            for card in Path("datasets").glob("*/card.yaml"):
                place = Path(self.build_lib, "benchmark", "cards", card.parent.name)
                place.mkdir(parents=True, exist_ok=True)
                copy(card, place)


setup(cmdclass={"build_py": BuildWithCards})
