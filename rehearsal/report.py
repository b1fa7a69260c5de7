"""What a person sees of a rehearsal."""

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field


class Progress:
    """One line per event, with the seconds since the rehearsal began."""

    def __init__(self) -> None:
        self._began = time.monotonic()

    def tell(self, event: str) -> None:
        """Print what has just happened."""
        print(f"{time.monotonic() - self._began:6.1f} s  {event}", flush=True)

    def detail(self, detail: str) -> None:
        """Print something that belongs to what happens right now."""
        print(f"{'':10}{detail}", flush=True)


@dataclass
class Row:
    """What the table says of one stack.

    Attributes:
        types: The types of its resources, by tier; see ``tier_of``.
        exercise: How its exercise ended, in words.
        seconds: How long its deployment and its exercise took.
    """

    stack: str
    types: Mapping[str, list[str]] = field(default_factory=dict)
    exercise: str = "-"
    seconds: float = 0.0

    def of_tier(self, tier: str) -> list[str]:
        """The types of its resources that are of a tier, one for each resource."""
        return self.types.get(tier, [])


def tier_of(resource_type: str, tiers: Mapping[str, str]) -> str:
    """Emulated, recorded, custom (made by code of the stack), or unknown to the emulator."""
    if resource_type.startswith("Custom::") or resource_type.endswith("::CustomResource"):
        return "custom"
    return tiers.get(resource_type, "unknown")


def table(rows: Iterable[Row]) -> str:
    """The table that ends a rehearsal, and below it what was only recorded."""
    rows = list(rows)
    rare = [tier for tier in ("custom", "unknown") if any(row.of_tier(tier) for row in rows)]
    tiers = ["emulated", "recorded", *rare]
    cells = [["stack", *tiers, "exercise", "seconds"]]
    for row in rows:
        counts = [str(len(row.of_tier(tier))) for tier in tiers]
        cells.append([row.stack, *counts, row.exercise, f"{row.seconds:.1f}"])
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = [_line(line, widths) for line in cells]
    lines.insert(1, "  ".join("-" * width for width in widths))
    lines += [
        f"{row.stack}: only recorded, nothing behind them works: "
        + ", ".join(sorted(set(row.of_tier("recorded"))))
        for row in rows
        if row.of_tier("recorded")
    ]
    return "\n".join(lines)


def _line(cells: list[str], widths: list[int]) -> str:
    """Words to the left, numbers to the right."""
    stack, *counts, exercise, seconds = (
        (cell, width) for cell, width in zip(cells, widths, strict=True)
    )
    return "  ".join(
        [
            stack[0].ljust(stack[1]),
            *(count.rjust(width) for count, width in counts),
            exercise[0].ljust(exercise[1]),
            seconds[0].rjust(seconds[1]),
        ]
    )
