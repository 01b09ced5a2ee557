"""Trains a model: logistic regression on early behaviour, and its calibration.

1. The conditions are those of ``suggest``, single ones, on the subjects who signed up first. The
   clearest that hold for different subjects are kept.
2. Their weights are fitted on the same subjects, held back by the sum of their squares. How much
   is chosen by cross-validation.
3. The calibration is that of the subjects who signed up later, whom nothing above has seen.

Needs scikit-learn. The model itself does not.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from typing import Any, NamedTuple

from ...errors import BadRequest
from ...ports import ReadTransaction
from ...rules.explain.vocabulary import Vocabulary
from ...rules.language.definition import Catalogue
from ..backtest import end_of_data
from ..bulk import Budget
from ..suggest.features import Sample
from ..suggest.search import SAME, Candidate, Condition, shared, singles
from ..suggest.suggest import OnShare, Wanted, sample_of
from .calibration import Outcome, calibration
from .model import Model, Term, logistic
from .words import words_of

FEWEST_CONVERTERS = 30
"""Conversions below which nothing is trained."""

FEWEST_IN_PERIOD = 10
"""Conversions in each period, and subjects without one, below which nothing is trained."""

MOST_TERMS = 20
STRENGTHS = (0.01, 0.1, 1.0)
"""Values of C, from weights that are held back much to weights that are held back little."""

FOLDS = 5
DECIMALS = 4
"""Of weights, so that a likelihood can be recomputed by hand."""


class Fit(NamedTuple):
    """The weights of conditions, the intercept, and how little they were held back."""

    weights: Sequence[float]
    intercept: float
    strength: float


def train(
    tx: ReadTransaction,
    catalogue: Catalogue,
    wanted: Wanted,
    now: int,
    on_progress: OnShare | None = None,
    budget: Budget | None = None,
) -> Model:
    """A model of what is stored; it is not stored itself.

    Raises BadRequest without scikit-learn or with too little data, TooLarge if the budget is too
    small.
    """
    require_installed()
    end = end_of_data(tx) if wanted.end is None else wanted.end
    sample = sample_of(tx, catalogue, wanted, end, on_progress, budget or Budget())
    return model_of(sample, catalogue, wanted, end, now)


def require_installed() -> None:
    """Raises BadRequest without scikit-learn."""
    if find_spec("sklearn") is None:
        raise BadRequest(
            'training needs scikit-learn: pip install "pequel[insights]"', "not_installed"
        )


def model_of(sample: Sample, catalogue: Catalogue, wanted: Wanted, end: int, now: int) -> Model:
    """A model of a sample. Raises BadRequest for too few subjects."""
    _require_enough(sample)
    earlier = ((1 << sample.size) - 1) & ~sample.later
    chosen = conditions_of(sample, earlier)
    holding = [_who(sample, condition) for condition in chosen]
    fit = fitted(holding, _bools(earlier, sample.size), _bools(sample.outcomes, sample.size))
    words = Vocabulary(catalogue)
    texts = [words_of(condition, words) for condition in chosen]
    return Model(
        subject=wanted.subject,
        landmark=wanted.landmark,
        horizon=wanted.horizon,
        timezone=catalogue.project.timezone,
        signup=catalogue.project.signup,
        trained_at=now,
        end=end,
        population=earlier.bit_count(),
        converters=(sample.outcomes & earlier).bit_count(),
        strength=fit.strength,
        intercept=fit.intercept,
        terms=[Term(*each) for each in zip(chosen, fit.weights, texts, strict=True)],
        calibration=calibration(_later_outcomes(sample, holding, fit)),
    )


def conditions_of(sample: Sample, earlier: int) -> list[Condition]:
    """The conditions that go best with conversion or without it, on the earlier subjects.

    None is on values of a property: these are not read where a likelihood is shown.
    Raises BadRequest if nothing was done by enough subjects.
    """
    kept: list[Candidate] = []
    found = [c for c in singles(sample, earlier) if c.parts[0].feature.property is None]
    for candidate in sorted(found, key=lambda each: -abs(each.merit)):
        if all(shared(candidate.found, other.found) < SAME for other in kept):
            kept.append(candidate)
            if len(kept) == MOST_TERMS:
                break
    if not kept:
        raise _too_little("no event was done by enough subjects, and left out by enough others")
    return [each.parts[0] for each in kept]


def fitted(
    holding: Sequence[Sequence[int]], earlier: Sequence[bool], outcomes: Sequence[bool]
) -> Fit:
    """The weights of conditions, given the places of the subjects for whom each holds."""
    from scipy.sparse import csr_matrix
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import cross_val_score

    rows = [place for who in holding for place in who]
    columns = [number for number, who in enumerate(holding) for _ in who]
    shape = len(outcomes), len(holding)
    table: Any = csr_matrix(([1.0] * len(rows), (rows, columns)), shape)
    seen = [place for place, is_earlier in enumerate(earlier) if is_earlier]
    table, came = table[seen], [outcomes[place] for place in seen]

    def loss(strength: float) -> float:
        model = LogisticRegression(C=strength, max_iter=1000)
        scores = cross_val_score(model, table, came, cv=FOLDS, scoring="neg_log_loss")
        return -float(scores.mean())

    strength = min(STRENGTHS, key=loss)
    found = LogisticRegression(C=strength, max_iter=1000).fit(table, came)
    weights = [round(float(weight), DECIMALS) for weight in found.coef_[0]]
    return Fit(weights, round(float(found.intercept_[0]), DECIMALS), strength)


def _require_enough(sample: Sample) -> None:
    converters = sample.outcomes.bit_count()
    if converters < FEWEST_CONVERTERS:
        raise _too_little(
            f"{converters} of {sample.size:,} subjects that can be judged converted, "
            f"expected at least {FEWEST_CONVERTERS}"
        )
    later = sample.later.bit_count(), (sample.outcomes & sample.later).bit_count()
    earlier = sample.size - later[0], converters - later[1]
    for name, (size, converted) in {"earlier": earlier, "later": later}.items():
        if min(converted, size - converted) < FEWEST_IN_PERIOD:
            raise _too_little(
                f"of {size:,} {name} sign-ups {converted} converted, expected at least "
                f"{FEWEST_IN_PERIOD} who did and {FEWEST_IN_PERIOD} who did not"
            )


def _too_little(what: str) -> BadRequest:
    return BadRequest(f"too little data: {what}", "too_little_data")


def _who(sample: Sample, condition: Condition) -> list[int]:
    """The places of the subjects for whom a condition holds."""
    return list(sample.columns[condition.feature].reaching(condition.threshold))


def _bools(found: int, size: int) -> list[bool]:
    """Each bit of a number, lowest first."""
    return [bit == "1" for bit in f"{found:0{size}b}"[::-1]]


def _later_outcomes(sample: Sample, holding: Sequence[Sequence[int]], fit: Fit) -> list[Outcome]:
    """What is predicted of the later subjects, and what came of it."""
    log_odds = [fit.intercept] * sample.size
    for weight, who in zip(fit.weights, holding, strict=True):
        for place in who:
            log_odds[place] += weight
    later, came = _bools(sample.later, sample.size), _bools(sample.outcomes, sample.size)
    every = zip(log_odds, later, came, strict=True)
    return [(logistic(each), outcome) for each, is_later, outcome in every if is_later]
