"""Small plots of bars, several lines high: as wide as they have values, with a title above and an axis below."""

from __future__ import annotations

import numpy as np

from analyzer.tui.lines import Line, Piece
from analyzer.tui.looks import Signs
from dissectors.tables import Array


def bars(counts: Array, signs: Signs) -> str:
    """Counts as one row of bars."""
    top, steps = max(int(counts.max(initial=0)), 1), len(signs.bars) - 1
    return "".join(signs.bars[min(-(-int(number) * steps // top), steps)] for number in counts)


def plot(title: str, counts: Array, height: int, ends: tuple[str, str], style: str, signs: Signs) -> list[Line]:
    """`height` lines of bars, below a title, above an axis that names its two ends. A value that is not 0 shows."""
    width, steps = len(counts), len(signs.bars) - 1
    top = max(float(counts.max(initial=0)), 1.0)
    eighths = np.ceil(np.asarray(counts, float) * height * steps / top).astype(int)
    lines: list[Line] = [[Piece(title[:width].ljust(width), "bold")]]
    for row in range(height - 1, -1, -1):
        filled = np.clip(eighths - row * steps, 0, steps)
        lines.append([Piece("".join(signs.bars[number] for number in filled.tolist()), style)])
    left, right = ends
    gap = max(width - len(left) - len(right), 1)
    lines.append([Piece(f"{left}{signs.across * gap}{right}"[:width], "dim")])
    return lines


def beside(plots: list[list[Line]], gap: int) -> list[Line]:
    """Plots of one height side by side."""
    return [
        [piece for number, line in enumerate(lines) for piece in ([Piece(" " * gap)] if number else []) + list(line)]
        for lines in zip(*plots, strict=True)
    ]
