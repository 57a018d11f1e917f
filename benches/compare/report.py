"""The result, as Markdown."""

from collections.abc import Callable
from dataclasses import dataclass, field

from .measure import Series
from .peers import OURS


@dataclass
class Goal:
    row: str
    text: str
    reached: str
    met: bool


@dataclass
class Table:
    head: list[str]
    lines: list[list[str]] = field(default_factory=list)


@dataclass
class Plot:
    """Curves over a logarithmic axis: name -> points."""

    file: str
    title: str
    x: str
    y: str
    curves: dict[str, list[tuple[float, float]]]
    # Otherwise the upright axis begins at 0.
    logarithmic: bool = True


@dataclass
class Section:
    """What one row of the comparison has to say."""

    row: str
    title: str
    parts: list[str | Table] = field(default_factory=list)
    goals: list[Goal] = field(default_factory=list)
    plots: list[Plot] = field(default_factory=list)

    def at_most(self, text: str, reached: float, limit: float, unit: str = "×") -> None:
        """A goal that is met by what is as small as the limit."""
        self.goals.append(Goal(self.row, text, f"{figure(reached)} {unit}", reached <= limit))

    def at_least(self, text: str, reached: float, limit: float, unit: str = "×") -> None:
        self.goals.append(Goal(self.row, text, f"{figure(reached)} {unit}", reached >= limit))


# A column behind the usual ones: its heading, and what stands in it.
Column = tuple[str, Callable[[Series], str]]


def comparison(results: dict[str, Series], *columns: Column) -> Table:
    """All tools of a row, and ours against each."""
    ours = results[OURS]
    table = Table(
        [
            "tool", "wall, s", "CPU, s", "peak, MiB", *(head for head, _ in columns),
            "our wall ÷ its", "our CPU ÷ its",
        ]
    )
    for name, series in results.items():
        table.lines.append(
            [
                name, spread(series), figure(series.cpu), f"{series.peak:.0f}",
                *(cell(series) for _, cell in columns),
                *(
                    ["", ""]
                    if series is ours
                    else [figure(ours.wall / series.wall), figure(ours.cpu / series.cpu)]
                ),
            ]
        )
    return table


def spread(series: Series) -> str:
    """The median, and the fastest and the slowest run."""
    return f"{figure(series.wall)} [{figure(series.fastest)}–{figure(series.slowest)}]"


def figure(number: float) -> str:
    """With three digits that count, or what stands before the point."""
    if number >= 100:
        return f"{number:,.0f}"
    return f"{number:.1f}" if number >= 10 else f"{number:.3f}" if number < 0.1 else f"{number:.2f}"


def size(number: int) -> str:
    """Of an archive; binary units where decimal ones would not be round."""
    step, units = (1000, ("B", "kB", "MB", "GB")) if number % 1000 == 0 else (1024, ("B", "KiB", "MiB", "GiB"))
    power = 0
    while number >= step and power < len(units) - 1:
        number, power = number / step, power + 1
    return f"{number:.4g} {units[power]}"


def markdown(machine: list[str], sections: list[Section]) -> str:
    lines = ["# tulip beside other tools", "", *machine, ""]
    lines += [
        "Median of all runs [fastest–slowest]; peak: the most resident memory that a process of the tool "
        "had in any run.",
        "Ours is `tulip export` as it is: checks, checksum, receipt and sync to disk included.",
        "",
    ]
    for section in sections:
        lines += [f"## {section.title} (`{section.row}`)", ""]
        for part in section.parts:
            lines += [*_table(part)] if isinstance(part, Table) else [part]
            lines.append("")
    goals = [goal for section in sections for goal in section.goals]
    summary = Table(
        ["row", "goal", "reached", "met"],
        [[f"`{goal.row}`", goal.text, goal.reached, "yes" if goal.met else "**no**"] for goal in goals],
    )
    return "\n".join([*lines, "## Goals", "", *_table(summary), ""])


def _table(table: Table) -> list[str]:
    def line(cells: list[str]) -> str:
        return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"

    return [line(table.head), "|" + "---|" * len(table.head), *map(line, table.lines)]
