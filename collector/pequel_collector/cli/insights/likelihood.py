"""``pequel likelihood``: trains the likelihood to convert, and shows the model."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

import click

from ...app.bootstrap import now
from ...app.likelihood import save
from ...errors import NotFound
from ...insights.likelihood.model import Calibration, Model, stored
from ...insights.likelihood.training import require_installed, train
from ...model import Kind, iso
from ...ports import CLI
from ...rules.language.quantities import many
from ...web.answers.likelihood_schemas import LIKELIHOOD
from ..options import definitions_file, example, settings_options
from ..output import columns, echo_as, printable
from .figures import length, percent
from .question import (
    catalogue_in,
    end_option,
    format_option,
    sample_options,
    store_at,
    subject_option,
    wanted_of,
)
from .suggest import reading_bar

WHOSE = "Whose likelihood."


@click.group(
    epilog=example(
        "pequel likelihood train --database sqlite:///pequel.db",
        "pequel likelihood show",
    )
)
def likelihood() -> None:
    """Learn how likely users or accounts are to convert, and show how well that works.

    The likelihood sorts lists of leads and of those who are near. It never marks a lead.
    """


@likelihood.command(
    "train",
    epilog=example(
        "pequel likelihood train --database sqlite:///pequel.db",
        "pequel likelihood train --subject account --landmark 14d --horizon 60d",
    ),
)
@definitions_file
@settings_options("database")
@sample_options(WHOSE)
@end_option
@format_option("text", "json")
def train_(
    file: str | None,
    database: str | None,
    landmark: int,
    horizon: int,
    subject: Kind,
    end: int | None,
    output_format: str,
) -> None:
    """Train a model on what is stored, and store it in place of the one before.

    FILE is a definitions file, whose [project] names sign-up and conversion; without it, the one in
    PEQUEL_CONFIG, else pequel.toml, else what is in force in the database. Needs scikit-learn: pip
    install "pequel[insights]". The model itself does not.
    """
    wanted = wanted_of(landmark, horizon, subject, end)
    require_installed()
    with store_at(database) as store:
        with store.reading() as tx, reading_bar() as progress:
            model = train(tx, catalogue_in(tx, file), wanted, now(), progress)
        save(store, model, CLI)
    echo_as(output_format, FORMATS[output_format](model))


@likelihood.command("show", epilog=example("pequel likelihood show --format json"))
@settings_options("database")
@subject_option(WHOSE)
@format_option("text", "json")
def show(database: str | None, subject: Kind, output_format: str) -> None:
    """Show the model that is stored: its weights, and its calibration."""
    with store_at(database) as store, store.reading() as tx:
        model = stored(tx, subject)
    if model is None:
        raise NotFound(f"there is no model of {subject}s: train one with pequel likelihood train")
    echo_as(output_format, FORMATS[output_format](model))


def _as_json(model: Model) -> str:
    return json.dumps(LIKELIHOOD.dump(model), ensure_ascii=False)


def _as_text(model: Model) -> str:
    landmark, horizon = length(model.landmark / 1000), length(model.horizon / 1000)
    who = f"{many(model.population, model.subject)}, {model.converters:,} of whom converted"
    lines = [
        f"trained {iso(model.trained_at)} on {who}",
        f"looked at for {landmark} after sign-up; a conversion in the {horizon} after that counts",
        *model.notes,
        "",
        "What adds to the log of the odds:",
        "",
        f"{model.intercept:+.2f}  to begin with",
        *(
            f"{term.weight:+.2f}  {printable(term.text)}"
            for term in sorted(model.terms, key=lambda term: -abs(term.weight))
        ),
        "",
        *_calibration(model.calibration, model.subject),
    ]
    return "\n".join(lines)


def _calibration(found: Calibration, subject: Kind) -> Iterator[str]:
    later = f"{many(found.population, subject)} who signed up later"
    yield f"{later}, {found.converters:,} of whom converted ({percent(found.base_rate)}):"
    yield (
        f"Brier score {found.brier:.4f} (the base rate alone {found.brier_of_base_rate:.4f}), "
        f"AUC {found.auc:.3f}"
    )
    yield ""
    rows = [
        (
            percent(each.predicted),
            percent(each.observed, each.interval),
            f"{each.converted:,}",
            f"{each.number:,}",
        )
        for each in found.bins
    ]
    yield from columns([("PREDICTED", "OBSERVED", "CONVERTED", "OF"), *rows])


FORMATS: dict[str, Callable[[Model], str]] = {"text": _as_text, "json": _as_json}
