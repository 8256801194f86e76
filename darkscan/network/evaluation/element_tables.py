"""The figures of simulated elements' defect maps as Markdown tables."""

from collections.abc import Iterable, Mapping

from darkscan.network.evaluation._intervals import Share
from darkscan.network.evaluation.elements import ALL, DefectFigures, KindFigures, Met, Spread
from darkscan.network.evaluation.report import share_table, table

_TERMS = (
    "A true line is found if exactly one line of the map, of its kind, runs along half of it or",
    "more, within 3 px. It is split if two lines or more each run along a fifth, merged if a line",
    "runs along half of it and of another scratch; both of the scratches along a fifth of which",
    "any line runs. A defect is right if it shows what its kind says. Lines count from 12 px",
    "on, from where their light rises above the noise to where it falls below.",
)
_OVERVIEW = (
    *("elements", "dm2", "scratches found", "right of those listed", "split", "merged"),
    *("length ratio", "ends, px", "width ratio", "false per dm2", "mm true / listed / false"),
)
_KIND_COLUMNS = (
    *("kind", "length", "found", "recall [95 %]", "right", "precision [95 %]"),
    *("length ratio", "ends, px", "width ratio"),
)


def element_section(by_preset: Mapping[str, DefectFigures]) -> list[str]:
    """Lines of Markdown: each preset in a row, then all of them in detail.

    ``by_preset`` has the figures of all elements together under ``ALL``.
    """
    whole = by_preset[ALL]
    return [
        "### Defects in the maps of simulated elements",
        "",
        *_TERMS,
        "",
        *table(_OVERVIEW, (_overview(name, of) for name, of in by_preset.items())),
        "",
        "Ratios and ends: the median of lines found, and between which values four fifths of",
        "them lie. A width ratio is the apparent width over the true full width at half maximum;",
        f"the simulated camera adds no blur. Scratches listed as a fibre: {_part(whole.as_fibre)}.",
        "",
        *table(
            _KIND_COLUMNS,
            (row for kind in whole.kinds for row in _kind_rows(kind)),
        ),
        "",
        *share_table("recall by shape of scratch", whole.by_shape, "scratches"),
        "",
        *share_table("recall by contrast to noise", whole.by_cnr, "scratches"),
        "",
        f"False scratches show instead: {_causes(whole)}.",
    ]


def headline(figures: DefectFigures) -> str:
    """The most important figures in a line."""
    scratches = figures.scratches
    return (
        f"{_part(scratches.recall)} true scratches found one to one, "
        f"{_part(scratches.precision)} listed ones right, "
        f"{_part(figures.split)} split, {_part(figures.merged)} merged, "
        f"{figures.false_per_dm2.value:.1f} false scratches per dm2"
    )


def _overview(name: str, of: DefectFigures) -> list[str]:
    false = of.false_per_dm2
    return [
        f"{name} ({of.elements})",
        f"{of.area_dm2:.3f}",
        _with_share(of.scratches.recall),
        _with_share(of.scratches.precision),
        _with_share(of.split),
        _with_share(of.merged),
        *_spreads(of.scratches),
        f"{false.value:.1f} [{false.low:.1f}, {false.high:.1f}]",
        f"{of.true_mm:.1f} / {of.listed_mm:.1f} / {of.false_mm:.1f}",
    ]


def _kind_rows(kind: KindFigures) -> Iterable[list[object]]:
    for number, met in enumerate((kind.whole, *kind.by_length)):
        yield [
            "" if number else kind.kind if kind.sought else f"{kind.kind} (not sought)",
            met.name,
            _part(met.recall),
            met.recall.estimate if met.recall.count else "-",
            _part(met.precision),
            met.precision.estimate if met.precision.count else "-",
            *_spreads(met),
        ]


def _spreads(met: Met) -> list[str]:
    return [_spread(met.length_ratio, 3), _spread(met.end_px, 1), _spread(met.width_ratio, 2)]


def _causes(figures: DefectFigures) -> str:
    ordered = sorted(figures.false.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{cause} {count}" for cause, count in ordered) or "there are none"


def _part(share: Share) -> str:
    return f"{share.hits} of {share.count}"


def _with_share(share: Share) -> str:
    return f"{_part(share)}, {share.estimate.value:.1%}" if share.count else _part(share)


def _spread(spread: Spread, decimals: int) -> str:
    if not spread.count:
        return "-"
    low, median, high = (f"{v:.{decimals}f}" for v in (spread.low, spread.median, spread.high))
    return f"{median} ({low}-{high})"
