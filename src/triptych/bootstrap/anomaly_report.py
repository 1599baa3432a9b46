"""What a detector says of a file, as one page of HTML that needs nothing else."""

from __future__ import annotations

import html
import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from triptych.bootstrap.anomalies import Rows, opened, rows_to_judge
from triptych.bootstrap.anomaly_judging import Judgement, judged, pieces_of
from triptych.domain.files import write_text
from triptych.inference.anomaly.base import AbstractDetector
from triptych.inference.anomaly.catch import CatchDetector
from triptych.inference.anomaly.sliding import sliding
from triptych.inference.anomaly.table import Table
from triptych.inference.anomaly.thresholds import Config as ThresholdConfig
from triptych.training.anomaly.by_type import WITHIN

_COLUMNS = 800  # of a heat map: more cannot be seen
_MASK_WINDOWS = 256
_BANDS = 3  # whose masks are drawn: the slowest, a middle one, the quickest
_CHANNELS = 24  # whose series are drawn
_POINTS = 4000  # of a channel's line, beside its alarms
_ENTITIES = 12  # that are drawn, those with the highest scores: a page of more would not open

_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>body{{font:16px/1.5 system-ui,sans-serif;max-width:1100px;margin:2rem auto;padding:0 1rem}}
table{{border-collapse:collapse;margin:1rem 0}}td,th{{padding:.2rem .8rem;border-bottom:1px solid #ccc;text-align:left}}
td.n{{text-align:right;font-variant-numeric:tabular-nums}}</style>
<script>{plotly}</script></head><body>
<h1>{title}</h1>
{body}
<script>for (const f of {figures}) Plotly.newPlot(f.id, f.data, f.layout, {{responsive: true}});</script>
</body></html>
"""


@dataclass(frozen=True, kw_only=True)
class _Event:
    """Alarms without a pause: rows `start` .. `stop` - 1."""

    start: int
    stop: int
    peak: float
    reasons: str
    entity: str


def report_anomalies(
    folder: Path,
    path: Path,
    out: Path,
    columns: Rows,
    *,
    within: int = WITHIN,
    breaks: bool | None = None,
    any_step: bool = False,
    threshold: Mapping[str, Any] | None = None,
    warn: Callable[[str], None] = lambda _: None,
) -> Path:
    """Score a file and write the report: scores and channels with alarms, evidence by
    channel and by kind over time, masks, events. Of several entities each has a section of its own.

    `breaks`, `any_step`, `threshold` and `warn` are as in `score_anomalies`.

    With labels it also holds the metrics, and those of each type of event where labels name types. Raises what
    `load_detector` and `decision_function` do, StorageError when the disk refuses.
    """
    detector = opened(folder, breaks, any_step)
    given = rows_to_judge(detector, path, columns, threshold or {}, warn)
    table, labels, moving = given.table, given.labels, given.moving
    scores, limits, reasons = detector.judged(table, moving)
    index = [str(value) for value in table.index.to_list()]
    drawable = np.where(detector.scored_rows(table), scores, np.nan)
    figures, events, masks = [], [], []
    shown = _shown(table, scores)
    for start, stop in table.of_entities():
        rows, part = slice(start, stop), table.part(start, stop)
        named = "" if table.entities is None else str(table.entities[start])
        events += _events(scores[rows], limits[rows], reasons[rows], start, named)
        if start not in shown:
            continue
        places, evidence, mask = _seen(detector, part, detector.scaling_(part.values))
        masks += [] if mask is None else [mask]
        own = index[rows]
        drawn = [
            _scores(own, drawable[rows], limits[rows], None if labels is None else labels[rows]),
            _channels(own, part, scores[rows] > limits[rows]),
            _heat("channels", [own[i] for i in places], list(table.columns), evidence.mean(axis=2)),
            _heat("kinds", [own[i] for i in places], list(detector.kinds), evidence.max(axis=1)),
        ]
        figures += drawn if len(shown) == 1 else [_of_entity(one, named, start) for one in drawn]
    if masks:
        figures += _masks(detector, list(table.columns), np.mean(masks, axis=0))
    events.sort(key=lambda event: -event.peak)
    from plotly.offline import get_plotlyjs

    metrics = None
    if labels is not None:
        pieces = pieces_of(detector, table)
        metrics = judged(labels, scores, scores > limits, pieces, day=moving.day, within=within, notes=given.notes)
    page = _PAGE.format(
        title=html.escape(f"Anomalies in {Path(path).name}"),
        plotly=get_plotlyjs().replace("</script", "<\\/script"),
        body=_said(moving, table, len(shown)) + _body(figures, events, index, metrics, table.entities is not None),
        figures=json.dumps(figures, allow_nan=False).replace("</", "<\\/"),
    )
    return write_text(Path(out), page)


def _seen(
    detector: AbstractDetector, table: Table, scaled: NDArray[np.float32]
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64] | None]:
    """Rows of the heat maps, evidence there (the greatest since the one before), masks by band, the mean of windows.

    There is a mask where the detector is CATCH and any row has a score.
    """
    rows, found = [], []
    for start, stop in table.stretches:
        for first, windows in sliding(scaled[start:stop], detector.memory):
            rows.append(start + first + np.arange(len(windows)))
            found.append(detector.assess(windows).evidence)
    if not rows:
        return np.zeros(0, dtype=np.int64), np.zeros((0, len(table.columns), len(detector.kinds))), None
    places, evidence = np.concatenate(rows), np.concatenate(found)
    edges = np.unique(np.linspace(0, len(places), min(len(places), _COLUMNS) + 1).astype(np.int64))[:-1]
    greatest = np.maximum.reduceat(evidence, edges, axis=0)
    if not isinstance(detector, CatchDetector):
        return places[edges], greatest, None
    chosen = places[np.linspace(0, len(places) - 1, min(len(places), _MASK_WINDOWS)).astype(np.int64)]
    windows = scaled[chosen[:, None] + np.arange(1 - detector.memory, 1)]
    with torch.inference_mode():
        mask = detector.network.masks(torch.from_numpy(windows)).float().mean(dim=(0, 2)).numpy()
    return places[edges], greatest, mask.astype(np.float64)


def _shown(table: Table, scores: NDArray[np.float64]) -> set[int]:
    """First rows of the entities that are drawn."""
    parts = sorted(table.of_entities(), key=lambda part: -float(scores[slice(*part)].max()))
    return {start for start, _ in parts[:_ENTITIES]}


def _of_entity(figure: dict[str, Any], entity: str, start: int) -> dict[str, Any]:
    """A figure of one of several entities; drawn without WebGL, of which a page has only a few."""
    data = [one | {"type": one["type"].removesuffix("gl")} for one in figure["data"]]
    return figure | {"id": f"{figure['id']}-{start}", "title": f"{entity}: {figure['title']}", "data": data}


def _said(moving: ThresholdConfig, table: Table, shown: int) -> str:
    """Which threshold the alarms come from, and whether entities are left out."""
    entities = len(table.of_entities())
    more = f" Of {entities} entities the {shown} with the highest scores are drawn." if entities > shown else ""
    return f"<p>Threshold: {html.escape(moving.words)}.{more}</p>\n"


def _events(
    scores: NDArray[np.float64], limits: NDArray[np.float64], reasons: list[str], first: int, entity: str
) -> list[_Event]:
    """Those of one entity, whose rows begin at row `first` of the file."""
    edges = np.flatnonzero(np.diff(np.concatenate(([0], (scores > limits).astype(np.int8), [0]))))
    events = []
    for start, stop in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True):
        peak = start + int(scores[start:stop].argmax())
        event = _Event(start=start, stop=stop, peak=float(scores[peak]), reasons=reasons[peak], entity=entity)
        events.append(replace(event, start=first + start, stop=first + stop))
    return events


def _scores(
    index: list[str], scores: NDArray[np.float64], limits: NDArray[np.float64], labels: NDArray[Any] | None
) -> dict[str, Any]:
    """The line of the scores, which breaks where rows have none (NaN), with alarms, truth and threshold."""
    drawn = [None if math.isnan(one) else one for one in np.round(scores, 4).tolist()]
    data: list[dict[str, Any]] = [{"type": "scattergl", "mode": "lines", "name": "score", "x": index, "y": drawn}]
    alarms = np.flatnonzero(scores > limits)
    data.append(
        {
            "type": "scattergl",
            "mode": "markers",
            "name": "alarm",
            "x": [index[i] for i in alarms],
            "y": np.round(scores[alarms], 4).tolist(),
            "marker": {"color": "#c0392b", "size": 5},
        }
    )
    if labels is not None:
        true = np.flatnonzero(labels != "")
        data.append(
            {
                "type": "scattergl",
                "mode": "markers",
                "name": "truth",
                "x": [index[i] for i in true],
                "y": [0.0] * len(true),
                "marker": {"color": "#f39c12", "size": 4, "symbol": "square"},
            }
        )
    data.append(
        {
            "type": "scattergl",
            "mode": "lines",
            "name": "threshold",
            "x": index,
            "y": np.round(limits, 4).tolist(),
            "line": {"dash": "dot", "color": "#555"},
        }
    )
    return {"id": "scores", "title": "Scores and alarms", "data": data, "layout": {"height": 380}}


def _channels(index: list[str], table: Table, alarms: NDArray[np.bool_]) -> dict[str, Any]:
    """The channels below one another, each with the rows of alarms marked: at most so many as can be told apart."""
    shown = table.columns[:_CHANNELS]
    kept = np.unique(np.concatenate([np.linspace(0, len(table) - 1, _POINTS).astype(np.int64), np.flatnonzero(alarms)]))
    marked = kept[alarms[kept]]
    data: list[dict[str, Any]] = []
    layout: dict[str, Any] = {"height": 120 + 110 * len(shown), "grid": {"rows": len(shown), "columns": 1}}
    for i, name in enumerate(shown):
        axis = {"xaxis": "x", "yaxis": f"y{i + 1}" if i else "y"}
        values = np.round(table.values[:, i], 6)
        data.append(
            {"type": "scattergl", "mode": "lines", "name": html.escape(name), "x": [index[k] for k in kept],
             "y": values[kept].tolist(), "line": {"width": 1}, **axis}
        )  # fmt: skip
        data.append(
            {"type": "scattergl", "mode": "markers", "name": "alarm", "showlegend": False,
             "x": [index[k] for k in marked], "y": values[marked].tolist(),
             "marker": {"color": "#c0392b", "size": 4}, **axis}
        )  # fmt: skip
        top = 1.0 - i / len(shown)
        layout[f"yaxis{i + 1}" if i else "yaxis"] = {"domain": [max(top - 0.9 / len(shown), 0.0), top]}
    return {"id": "series", "title": "Channels with alarms", "data": data, "layout": layout}


def _heat(name: str, index: list[str], rows: list[str], values: NDArray[np.float64]) -> dict[str, Any]:
    titles = {"channels": "Evidence by channel", "kinds": "Evidence by kind and band"}
    data = {
        "type": "heatmap", "x": index, "y": [html.escape(row) for row in rows],
        "z": np.round(values.T, 2).tolist(), "colorscale": "Viridis",
    }  # fmt: skip
    layout = {"height": 160 + 26 * len(rows), "yaxis": {"automargin": True}}
    return {"id": name, "title": f"{titles[name]}, in deviations", "data": [data], "layout": layout}


def _masks(detector: AbstractDetector, columns: list[str], masks: NDArray[np.float64]) -> list[dict[str, Any]]:
    """At most `_BANDS` of the bands, evenly spread, each how often its masks were open."""
    assert isinstance(detector, CatchDetector)
    network, bands = detector.config.network, len(masks)
    off = ~np.eye(len(columns), dtype=bool)
    names = [html.escape(name) for name in columns]
    layout = {"height": 260 + 22 * len(names), "yaxis": {"automargin": True}, "xaxis": {"automargin": True}}
    figures = []
    for band in np.unique(np.linspace(0, bands - 1, _BANDS).round().astype(int)).tolist():
        first = band * network.patch_stride
        last = min(first + network.patch_size - 1, network.length // 2)
        longest = "and the level" if first == 0 else f"to {network.length / first:.3g}"
        periods = f"periods of {network.length / last:.3g} rows {longest}"
        share = f"; {masks[band][off].mean():.0%} of the pairs open" if len(columns) > 1 else ""
        figures.append({
            "id": f"mask-{band}", "layout": layout,
            "title": f"How often a channel (row) looks at another, band {band + 1} of {bands} ({periods}){share}",
            "data": [{
                "type": "heatmap", "x": names, "y": names, "z": np.round(masks[band], 3).tolist(), "zmin": 0, "zmax": 1,
            }],
        })  # fmt: skip
    return figures


def _by_type(metrics: Judgement) -> str:
    heads, rows = metrics.table()
    if not rows:
        return ""
    head = "".join(f"<th>{html.escape(one)}</th>" for one in heads)
    lines = []
    for kind, *cells in rows:
        figures = "".join(f'<td class="n">{cell}</td>' for cell in cells)
        lines.append(f"<tr><td>{html.escape(kind)}</td>{figures}</tr>")
    return f"<h2>Metrics by type of event</h2><table><tr>{head}</tr>{''.join(lines)}</table>"


def _body(
    figures: list[dict[str, Any]],
    events: list[_Event],
    index: list[str],
    metrics: Judgement | None,
    of_entities: bool,
) -> str:
    parts = [f'<h2>{html.escape(figure["title"])}</h2><div id="{figure["id"]}"></div>' for figure in figures]
    if metrics is not None:
        rows = "".join(f'<tr><td>{k}</td><td class="n">{v}</td></tr>' for k, v in metrics.lines().items())
        notes = "".join(f"<p>{html.escape(note)}</p>" for note in metrics.notes)
        parts.insert(0, f"<h2>Metrics</h2><table>{rows}</table>{notes}{_by_type(metrics)}")
    whose = [f"<td>{html.escape(event.entity)}</td>" if of_entities else "" for event in events[:200]]
    rows = "".join(
        f"<tr>{name}<td>{html.escape(index[e.start])}</td><td>{html.escape(index[e.stop - 1])}</td>"
        f'<td class="n">{e.peak:.2f}</td><td>{html.escape(e.reasons)}</td></tr>'
        for name, e in zip(whose, events[:200], strict=True)
    )
    of = "<th>of</th>" if of_entities else ""
    head = f"<tr>{of}<th>from</th><th>to</th><th>highest score</th><th>reasons</th></tr>"
    more = f"<p>The {len(events) - 200} weaker ones are not shown.</p>" if len(events) > 200 else ""
    parts.append(f"<h2>Events: {len(events)}</h2><table>{head}{rows}</table>{more}")
    return "\n".join(parts)
