"""A stacked column chart as numbers for an SVG that the server writes: pure, in integers.

The largest series have shades of their own, the rest share one. A table beside it says the same in words.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

MOST_SERIES = 6
HEIGHT = 1_000  # units of the drawing; a column is WIDTH wide, with its gap
WIDTH = 100
_GAP = 16
OTHERS = "All others"


@dataclass(frozen=True, slots=True)
class Bar:
    """A part of a column. shade: which of the style sheet's colours, from 1."""

    name: str
    amount_nanos: int
    shade: int
    x: int
    y: int
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Column:
    """All of one day."""

    key: str
    amount_nanos: int
    bars: list[Bar]


@dataclass(frozen=True, slots=True)
class Plot:
    """What the template draws. legend: (shade, name) of each series, the largest first; top_nanos: the full height."""

    columns: list[Column]
    legend: list[tuple[int, str]]
    top_nanos: int
    width: int
    height: int = HEIGHT

    @property
    def middle_nanos(self) -> int:
        """Half of the height."""
        return self.top_nanos // 2


def stacked(cells: Mapping[tuple[str, str], int], keys: Sequence[str]) -> Plot | None:
    """The chart of nano-dollars by (column, series), a column for each key; None where nothing is above zero.

    What refunds made negative is left out of the drawing; the table has it.
    """
    shades = _shades(cells)
    amounts: dict[str, dict[str, int]] = {key: {} for key in keys}
    for (key, series), amount in cells.items():
        if key in amounts and amount > 0:
            name = series if series in shades else OTHERS
            amounts[key][name] = amounts[key].get(name, 0) + amount
    top = max((sum(column.values()) for column in amounts.values()), default=0)
    if not top:
        return None
    names = [*shades, OTHERS] if any(OTHERS in column for column in amounts.values()) else list(shades)
    legend = [(number, name) for number, name in enumerate(names, start=1)]
    columns = [_column(index, key, amounts[key], legend, top) for index, key in enumerate(keys)]
    return Plot(columns, legend, top, WIDTH * len(keys))


def _shades(cells: Mapping[tuple[str, str], int]) -> list[str]:
    """Names of the series that get their own, the largest first."""
    sums: dict[str, int] = {}
    for (_, series), amount in cells.items():
        sums[series] = sums.get(series, 0) + max(amount, 0)
    return sorted((name for name in sums if sums[name]), key=lambda name: (-sums[name], name))[:MOST_SERIES]


def _column(index: int, key: str, amounts: Mapping[str, int], legend: Sequence[tuple[int, str]], top: int) -> Column:
    """Bars from the bottom up. Edges come from running sums, so that rounding leaves no gaps."""
    bars: list[Bar] = []
    below = 0
    x = index * WIDTH
    for shade, name in legend:
        if amount := amounts.get(name, 0):
            lower, below = below, below + amount
            bottom, upper = lower * HEIGHT // top, below * HEIGHT // top
            bars.append(Bar(name, amount, shade, x + _GAP // 2, HEIGHT - upper, WIDTH - _GAP, upper - bottom))
    return Column(key, sum(amounts.values()), bars)
