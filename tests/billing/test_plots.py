"""The chart's numbers: what is drawn is what was spent."""

from billing import plots
from billing.plots import HEIGHT, OTHERS


def test_bars_of_a_column_stand_on_each_other_and_fill_it() -> None:
    cells = {("a", "x"): 1, ("a", "y"): 2, ("b", "x"): 1}
    plot = plots.stacked(cells, ["a", "b", "c"])
    assert plot
    full, part, empty = plot.columns
    assert [(bar.name, bar.amount_nanos) for bar in full.bars] == [("x", 1), ("y", 2)]
    lower, upper = full.bars
    assert (upper.y, upper.y + upper.height, lower.y + lower.height) == (0, lower.y, HEIGHT)
    assert part.bars[0].height == HEIGHT // 3
    assert (part.bars[0].shade, empty.bars) == (lower.shade, [])
    assert (plot.top_nanos, plot.legend) == (3, [(1, "x"), (2, "y")])


def test_the_smallest_series_share_a_shade() -> None:
    cells = {("a", f"m{number}"): 100 - number for number in range(9)}
    plot = plots.stacked(cells, ["a"])
    assert plot
    assert [name for _, name in plot.legend] == ["m0", "m1", "m2", "m3", "m4", "m5", OTHERS]
    assert plot.columns[0].bars[-1].amount_nanos == 94 + 93 + 92
    assert plot.columns[0].amount_nanos == sum(cells.values())


def test_nothing_spent_is_no_chart() -> None:
    assert plots.stacked({}, ["a"]) is None
    assert plots.stacked({("a", "x"): 0, ("a", "y"): -5}, ["a"]) is None
