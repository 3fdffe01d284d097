"""Statistical tests on any matrix of scores; knows no model and no run record."""

from benchmark.statistics.recipes import MARGIN, Recipe, RecipePair, Tiers, compare_recipes
from benchmark.statistics.tiers import tiers

__all__ = ["MARGIN", "Recipe", "RecipePair", "Tiers", "compare_recipes", "tiers"]
