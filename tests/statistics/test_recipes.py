from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from benchmark.errors import InputError
from benchmark.statistics import Recipe, compare_recipes
from benchmark.statistics.multiple import holm
from benchmark.statistics.randomisation import randomisation_test
from benchmark.statistics.recipes import edge_of
from benchmark.statistics.training_noise import training_noise

UNITS = 400


def _scores(
    rng: np.random.Generator, trainings: int, noise: float = 0.0, luck: float = 0.1
) -> np.ndarray:
    """Draw scores whose trainings differ by ``noise`` on all units and by ``luck`` on each."""
    whole = rng.normal(0, noise, (trainings, 1))
    return rng.random(UNITS) + whole + rng.normal(0, luck, (trainings, UNITS))


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


class TestNoise:
    def test_luck_on_single_units_is_not_counted_twice(self, rng: np.random.Generator) -> None:
        found = [training_noise([_scores(rng, 3, luck=0.5)], [""]) for _ in range(400)]
        added = np.array([noise.added[0] for noise in found])
        variance = np.array([noise.variance[0] for noise in found])
        assert variance.mean() == pytest.approx(0.5**2 / UNITS, rel=0.15)
        assert abs(added.mean()) < 3 * added.std() / np.sqrt(len(added))

    def test_noise_on_all_units_is_found(self, rng: np.random.Generator) -> None:
        added = [training_noise([_scores(rng, 3, 0.2, 0.5)], [""]).added[0] for _ in range(400)]
        assert np.mean(added) == pytest.approx(0.2**2, rel=0.2)

    def test_nobody_is_less_noisy_than_the_average(self, rng: np.random.Generator) -> None:
        scores = [_scores(rng, 3, noise) for noise in (0.0, 0.01, 0.3)]
        own = np.array([each.mean(axis=1).var(ddof=1) for each in scores])
        noise = training_noise(scores, [""] * 3)
        np.testing.assert_allclose(noise.variance, np.maximum(own, own.mean()))
        # One variance makes nearly the whole average, so that has hardly more freedom.
        assert (noise.freedom >= 2).all() and (noise.freedom < 3).all()
        alike = training_noise([_scores(rng, 3, 0.3) for _ in range(100)], [""] * 100)
        assert 60 < alike.freedom[0] <= 200

    def test_trainings_that_are_the_same_have_no_noise_and_lend_none(
        self, rng: np.random.Generator
    ) -> None:
        same = np.repeat(_scores(rng, 1), 3, axis=0)
        moving = _scores(rng, 3, 0.3)
        noise = training_noise([same, moving, _scores(rng, 1)], [""] * 3)
        alone = training_noise([moving], [""])
        assert (noise.added[0], noise.freedom[0]) == (0, np.inf)
        assert noise.added[1:] == pytest.approx(alone.added[0])
        assert noise.freedom[2] == noise.freedom[1] / 2

    def test_one_training_borrows_from_its_family_first(self, rng: np.random.Generator) -> None:
        scores = [_scores(rng, 3, 0.01), _scores(rng, 3, 0.5), _scores(rng, 1), _scores(rng, 1)]
        noise = training_noise(scores, ["quiet", "loud", "quiet", "unknown"])
        assert noise.borrowed.tolist() == [False, False, True, True]
        assert noise.variance[2] == pytest.approx(scores[0].mean(axis=1).var(ddof=1))
        assert noise.variance[2] < 0.01 * noise.variance[3]
        same = np.repeat(scores[0][:1], 2, axis=0)
        still = training_noise([same, scores[1], scores[2]], ["quiet", "loud", "quiet"])
        assert still.variance[2] == still.variance[1], "a family without noise has none to lend"


class TestRecipes:
    def test_two_recipes_by_hand(self, rng: np.random.Generator) -> None:
        a, b = _scores(rng, 3, 0.2), _scores(rng, 3, 0.2)
        pair = compare_recipes([Recipe("a", a), Recipe("b", b)]).pairs[0]
        own = np.array([each.mean(axis=1).var(ddof=1) for each in (a, b)])
        luck = np.array(
            [
                (each - each.mean(0) - each.mean(1, keepdims=True) + each.mean()).var()
                * each.size / (2 * (UNITS - 1)) / UNITS
                for each in (a, b)
            ]
        )  # fmt: skip
        pooled = np.maximum(own, own.mean())
        added = np.maximum(own - luck, (own - luck).mean()).sum() / 3
        requests = (a.mean(0) - b.mean(0)).var(ddof=1) / UNITS
        free = max(2.0, (2 * own).sum() ** 2 / ((2 * own) ** 2 / 2).sum())
        variance = requests + added
        freedom = variance**2 / (
            requests**2 / (UNITS - 1) + ((pooled / 3) ** 2 / free).sum()
        )  # fmt: skip
        expected = 2 * stats.t.sf(abs(a.mean() - b.mean()) / np.sqrt(variance), freedom)
        assert pair.p == pytest.approx(expected)
        wide = stats.t.isf(0.025, freedom) * np.sqrt(variance)
        assert (pair.low, pair.high) == pytest.approx((pair.difference - wide,
                                                       pair.difference + wide))  # fmt: skip

    def test_wins_are_those_of_the_first_of_a_pair(self) -> None:
        """By the means of trainings; the second wins the third unit though it lost it once."""
        a = Recipe("a", np.array([[3.0, 1.0, 4.0, 2.0, 5.0], [3.0, 1.0, 0.0, 2.0, 5.0]]))
        b = Recipe("b", np.array([[1.0, 1.0, 3.0, 2.0, 4.0]]))
        pair = compare_recipes([a, b]).pairs[0]
        assert (pair.a, pair.wins, pair.ties, pair.losses) == (0, 2, 2, 1)

    def test_trainings_that_are_the_same_leave_the_test_over_requests(
        self, rng: np.random.Generator
    ) -> None:
        a, b = np.repeat(_scores(rng, 1), 3, axis=0), np.repeat(_scores(rng, 1), 2, axis=0)
        found = compare_recipes([Recipe("a", a), Recipe("b", b + 0.05)])
        assert found.question == "recipes" and found.borrowed == [False, False]
        assert found.p[0, 1] == pytest.approx(randomisation_test(a[0] - b[0] - 0.05), rel=1e-6)
        assert found.p[0, 1] == pytest.approx(stats.ttest_rel(a[0], b[0] + 0.05).pvalue, abs=0.01)

    def test_copies_of_a_training_make_nothing_certain(self) -> None:
        scores = [[0.5, 0.4], [0.3, 0.2]]
        systems = [Recipe(n, np.repeat([s], 2, axis=0)) for n, s in zip("ab", scores, strict=True)]
        assert compare_recipes(systems).p[0, 1] == 0.5

    def test_nothing_is_certain_and_little_knowledge_bounds_nothing(
        self, rng: np.random.Generator
    ) -> None:
        same = np.repeat(rng.random((1, 1500)), 2, axis=0)
        far = compare_recipes([Recipe("a", same), Recipe("b", same + 1)])
        assert 0 < far.p[0, 1] <= far.p_corrected[0, 1] < 1e-200
        wide = edge_of(np.array([1.0, 1.0, 0.0]), np.array([0.5, 5.0, 0.5]), 0.05)
        assert wide.tolist() == pytest.approx([np.inf, stats.t.isf(0.025, 5), 0.0])

    def test_the_order_of_seeds_wins_nothing(self, rng: np.random.Generator) -> None:
        a = _scores(rng, 3)
        pair = compare_recipes([Recipe("a", a), Recipe("b", a[[2, 0, 1]])]).pairs[0]
        assert (pair.wins, pair.ties, pair.losses) == (0, UNITS, 0)

    @pytest.mark.parametrize("unit", [1e-14, 1e-170, 1e90])
    def test_the_unit_of_the_scores_changes_nothing(
        self, rng: np.random.Generator, unit: float
    ) -> None:
        a, b = _scores(rng, 1), _scores(rng, 1)
        for count in (20, UNITS):
            one = randomisation_test((a - b)[0, :count])
            assert randomisation_test((a - b)[0, :count] * unit) == pytest.approx(one, rel=1e-6)

    @pytest.mark.parametrize(
        ("level", "margin"), [(np.nan, 0.02), (0.05, np.nan), (0.05, np.inf), (2, 0.02)]
    )
    def test_what_is_no_share_is_refused(self, level: float, margin: float) -> None:
        systems = [Recipe(n, np.zeros((1, 3))) for n in "ab"]
        with pytest.raises(InputError, match="give shares"):
            compare_recipes(systems, level=level, margin=margin)

    def test_scores_whose_squares_are_no_numbers_are_refused(self) -> None:
        systems = [Recipe(n, np.full((2, 3), 1e200)) for n in "ab"]
        with pytest.raises(InputError, match="scale them"):
            compare_recipes(systems)

    def test_more_of_the_same_seeds_do_not_replace_other_seeds(
        self, rng: np.random.Generator
    ) -> None:
        """A difference that only one training makes is none of the recipes."""
        a, b = _scores(rng, 3), _scores(rng, 3)
        a[0] += 0.3
        found = compare_recipes([Recipe("a", a), Recipe("b", b)])
        assert found.p[0, 1] > 0.1
        narrow = compare_recipes([Recipe("a", a), Recipe("b", b)], question="requests")
        assert narrow.p[0, 1] < 1e-3

    def test_nobody_trained_twice_is_the_narrow_question(self, rng: np.random.Generator) -> None:
        given = [Recipe("a", _scores(rng, 1)), Recipe("b", _scores(rng, 1) + 0.02)]
        found = compare_recipes(given)
        assert found.question == "requests"
        assert not any(found.borrowed)
        expected = randomisation_test(given[0].scores[0] - given[1].scores[0])
        assert found.p[0, 1] == pytest.approx(expected)
        # A system that is always the same has nothing to lend.
        still = Recipe("c", np.repeat(_scores(rng, 1), 2, axis=0))
        assert compare_recipes([*given, still]).question == "requests"

    def test_what_was_borrowed_is_marked(self, rng: np.random.Generator) -> None:
        a, b = Recipe("a", _scores(rng, 3, 0.1)), Recipe("b", _scores(rng, 1))
        found = compare_recipes([a, b])
        assert found.borrowed == [False, True] and found.question == "recipes"
        narrow = compare_recipes([a, b], question="requests")
        assert narrow.borrowed == [False, False] and narrow.p[0, 1] < found.p[0, 1]

    def test_everything_follows_from_the_corrected_pairs(self, rng: np.random.Generator) -> None:
        given = [Recipe(f"{i}", _scores(rng, 3, 0.005) + 0.05 * i) for i in range(8)]
        found = compare_recipes(given)
        upper = np.triu_indices(8, 1)
        np.testing.assert_allclose(found.p_corrected[upper], holm(found.p[upper].tolist()))
        assert [(pair.a, pair.b) for pair in found.pairs] == list(zip(*upper, strict=True))
        for pair in found.pairs:
            differ = pair.p_corrected < 0.05
            assert bool(set(found.letters[pair.a]) & set(found.letters[pair.b])) != differ
            assert pair.wins + pair.ties + pair.losses == UNITS
            assert found.p[pair.b, pair.a] == pair.p
            assert pair.difference == pytest.approx(found.means[pair.a] - found.means[pair.b])
        assert found.order[0] == 7
        assert "a" in found.letters[7] and found.rank_low[7] == 1
        assert found.rank_low[0] > 1 and found.rank_high[7] < 8

    def test_the_order_of_recipes_does_not_matter(self, rng: np.random.Generator) -> None:
        given = [Recipe(f"{i}", _scores(rng, 1 + i % 3, 0.02) + 0.03 * i) for i in range(8)]
        one, other = compare_recipes(given), compare_recipes(given[::-1])
        assert one.letters == other.letters[::-1]
        assert one.rank_low == other.rank_low[::-1]
        np.testing.assert_allclose(one.p, other.p[::-1, ::-1])

    def test_scores_a_thousand_times_larger_say_the_same(self, rng: np.random.Generator) -> None:
        given = [Recipe(f"{i}", _scores(rng, 3, 0.02) + 0.03 * i) for i in range(5)]
        large = [replace(recipe, scores=1000 * recipe.scores) for recipe in given]
        one, other = compare_recipes(given), compare_recipes(large)
        assert one.letters == other.letters
        assert [p.verdict for p in one.pairs] == [p.verdict for p in other.pairs]

    def test_equal_systems(self, rng: np.random.Generator) -> None:
        scores = _scores(rng, 3)
        found = compare_recipes([Recipe("a", scores), Recipe("b", scores)])
        assert found.p[0, 1] == 1 and found.pairs[0].ties == UNITS
        assert found.letters == ["a", "a"] and found.rank_high == [2, 2]

    def test_one_unit_says_nothing(self) -> None:
        found = compare_recipes([Recipe("a", np.ones((3, 1))), Recipe("b", np.zeros((3, 1)))])
        assert found.p[0, 1] == 1 and found.pairs[0].verdict == "unclear"
        assert found.pairs[0].high == np.inf


class TestVerdict:
    BASE = np.random.default_rng(2).random(4000) + 0.5

    def _verdict(self, better: float, spread: float, margin: float = 0.02) -> str:
        rng = np.random.default_rng(3)
        noise = rng.normal(0, spread, self.BASE.size)
        given = [Recipe("a", self.BASE[None] + better + noise - noise.mean()),
                 Recipe("b", self.BASE[None])]  # fmt: skip
        return compare_recipes(given, margin=margin).pairs[0].verdict

    def test_what_an_interval_says(self) -> None:
        assert self._verdict(0.0, 0.1) == "equivalent"
        assert self._verdict(0.1, 0.1) == "differs"
        assert self._verdict(0.0, 3.0) == "unclear"
        # Sure to be better, and by so little that it does not matter.
        assert self._verdict(0.01, 0.05) == "equivalent"
        assert self._verdict(0.01, 0.05, margin=0.001) == "differs"


class TestRefused:
    def test_what_cannot_be_compared(self, rng: np.random.Generator) -> None:
        a = Recipe("a", _scores(rng, 2))
        with pytest.raises(InputError, match="two or more systems can be compared, not 'a'"):
            compare_recipes([a])
        with pytest.raises(InputError, match="'a': two systems"):
            compare_recipes([a, a])
        with pytest.raises(InputError, match=r"'b': scores of shape \(2, 399\)"):
            compare_recipes([a, Recipe("b", a.scores[:, 1:])])
        with pytest.raises(InputError, match="'b': a score is no finite number"):
            compare_recipes([a, Recipe("b", a.scores * np.nan)])
