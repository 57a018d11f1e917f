"""The plots, as SVG files that are the same bytes for the same figures."""

from pathlib import Path

from .report import Plot

COLOURS = ["#b3003c", "#4d6a8a"]


def draw(plot: Plot, folder: Path) -> None:
    # Here, so that whoever wants no plots needs no matplotlib.
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "tulip", "font.size": 10})
    from matplotlib import pyplot
    from matplotlib.ticker import FuncFormatter, NullFormatter, NullLocator

    figure, axes = pyplot.subplots(figsize=(6, 4), layout="constrained")
    for colour, (name, points) in zip(COLOURS, plot.curves.items(), strict=False):
        axes.plot(*zip(*points, strict=True), "o-", color=colour, label=name)
    axes.set_xscale("log")
    # Where measured, and in plain numbers.
    axes.set_xticks([x for x, _ in next(iter(plot.curves.values()))])
    axes.xaxis.set_minor_locator(NullLocator())
    if plot.logarithmic:
        axes.set_yscale("log")
    else:
        axes.set_ylim(bottom=0)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axis.set_minor_formatter(NullFormatter())
    axes.set(title=plot.title, xlabel=plot.x, ylabel=plot.y)
    axes.grid(which="major", color="#dddddd")
    axes.set_axisbelow(True)
    if len(plot.curves) > 1:
        axes.legend(frameon=False)
    figure.savefig(folder / plot.file, metadata={"Date": None})
    pyplot.close(figure)
