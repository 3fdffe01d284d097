"""Statistical tests on any matrix of scores; knows no model and no run record."""

from benchmark.statistics.recipes import Recipe, RecipePair, Tiers, compare_recipes

__all__ = ["Recipe", "RecipePair", "Tiers", "compare_recipes"]
