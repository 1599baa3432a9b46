"""The explanations that a report shows: of the sells and buys that a run was surest of, on candles it was tested on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from triptych.backtest.report import SampleImage
from triptych.bootstrap.building import Dataset
from triptych.bootstrap.candles import Candles
from triptych.bootstrap.explaining import ExplainedDecision
from triptych.bootstrap.explaining_consensus import ExplainedConsensus, words_of
from triptych.bootstrap.explaining_surest import explain_one, why_chosen
from triptych.bootstrap.explanation_pictures import side_by_side
from triptych.bootstrap.run_folder import Run
from triptych.bootstrap.surest import judged_decisions, surest, windows_apart
from triptych.domain import CLASSES, utc

SIDES: Final = ("sell", "buy")
OF_ONE, OF_CONSENSUS = 2, 1
"""Decisions of each side: of one model, and of a consensus, which has a picture for every member."""


@dataclass(frozen=True, kw_only=True)
class ExplainedForReport:
    """Pictures with heat, and of a consensus how the votes became each of these decisions."""

    images: list[SampleImage] = field(default_factory=list)
    votes: list[dict[str, Any]] = field(default_factory=list)


def explained_for_report(run: Run, dataset: Dataset, candles: Candles) -> ExplainedForReport:
    """Explain the surest sells and buys of the test part; those of one side share no candle with one another."""
    frame = judged_decisions(run)
    apart = windows_apart(run, candles.series)
    labels = _labels(dataset)
    found = ExplainedForReport()
    for side in SIDES:
        for one in surest(frame, side, count=OF_CONSENSUS if run.recipe.members else OF_ONE, apart=apart):
            decision = explain_one(run, one, candles=candles, chosen=why_chosen(frame, one))
            was = labels.get((one.symbol, one.time_ms), "")
            if isinstance(decision, ExplainedConsensus):
                found.votes.append(_votes(decision))
                found.images.extend(_image(part, was, f"{name}: ") for name, part in decision.members.items())
            else:
                found.images.append(_image(decision, was))
    return found


def _labels(dataset: Dataset) -> Mapping[tuple[str, int], str]:
    found = {}
    for fold in dataset.folds:
        samples = dataset.samples(fold.test)
        rows = zip(samples.instrument.tolist(), samples.time_ms.tolist(), samples.label.tolist(), strict=True)
        found.update({(dataset.series[i].symbol, time_ms): CLASSES[label] for i, time_ms, label in rows})
    return found


def _image(decision: ExplainedDecision, was: str, whose: str = "") -> SampleImage:
    one = decision.explanation
    likeliest = int(one.probabilities.argmax())
    ago = ", ".join(str(candle["candles_ago"]) for candle in decision.leading_candles(3))
    shown = "" if CLASSES[likeliest] == one.target else f"; explained: {one.target}"
    return SampleImage(
        image=side_by_side(one),
        label=was,
        prediction=CLASSES[likeliest],
        probability=float(one.probabilities[likeliest]),
        caption=f"{whose}{decision.symbol} {utc(decision.time_ms)}{shown}"
        + (f"; most of it {ago} candles before the close" if ago else "")
        + _areas(decision)
        + ("; incomplete, its shares do not add up" if one.shortfall else ""),
    )


def _areas(decision: ExplainedDecision) -> str:
    """How much of it lies in areas beside the prices, such as the pane of volumes; nothing of other pictures."""
    if decision.explanation.is_flat:
        return ""
    parts = [part for axis in decision.explanation.axes for part in axis.area_parts()]
    return "".join(f"; {part.name} has {part.share:.0%} of it" for part in parts)


def _votes(decision: ExplainedConsensus) -> dict[str, Any]:
    joint = decision.joint
    rows: list[dict[str, Any]] = []
    for i, vote in enumerate(decision.votes):
        left = decision.without[i]
        rows.append(
            {
                "from": vote.model,
                "says": vote.words.removeprefix(f"{vote.model} "),
                "weight": joint.weights[i] if joint.weights else None,
                "adds": joint.of(vote.model),
                "without it": "not known" if left.probabilities is None else words_of(left.target),
            }
        )
    others = dict.fromkeys(one.source for one in joint.contributions if one.source not in decision.members)
    rows += [{"from": name, "says": "", "weight": None, "adds": joint.of(name), "without it": ""} for name in others]
    caption = (
        f"{decision.symbol} {utc(decision.time_ms)}: {words_of(decision.target)} by {joint.method}, "
        f"{joint.quantity} {joint.total:+.3f}. {decision.chosen} {decision.filtered} {decision.sentence}"
    )
    return {"caption": " ".join(caption.split()), "rows": rows}
