"""What every model has to hold, for this repository's models and for those of other packages.

A test calls each check of :data:`CHECKS` with a :class:`Subject`; a check raises
``AssertionError`` where the model does not hold it.
"""

from benchmark.testing.checks import CHECKS, seen_mask
from benchmark.testing.subject import Subject
from benchmark.testing.verdicts import ADVICE, Verdict, made_up_data, verdict_of

__all__ = ["ADVICE", "CHECKS", "Subject", "Verdict", "made_up_data", "seen_mask", "verdict_of"]
