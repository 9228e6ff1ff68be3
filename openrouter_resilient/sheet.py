"""A small table to read: text in a terminal, HTML in a notebook, everything in it escaped."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape

WIDEST = 60  # characters of a column in a terminal; a server's own words may be longer


@dataclass(frozen=True)
class Sheet:
    """A title, a table, and notes below it.

    Attributes:
        title: what it is about, in one line.
        columns: their headings.
        rows: the cells, as many in each as there are columns.
        notes: sentences below.
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...] = ()

    def __str__(self) -> str:
        """Lay it out for a terminal."""
        table = [[_shown(cell) for cell in row] for row in (self.columns, *self.rows)]
        widths = [max(map(len, column)) for column in zip(*table, strict=True)]
        lines = [
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
            for row in table
        ]
        return "\n".join([_plain(self.title), "", *lines, *self._notes()])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        """Lay it out for a notebook."""
        head = "".join(f"<th>{escape(name)}</th>" for name in self.columns)
        rows = "".join(
            f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in self.rows
        )
        notes = "".join(f"<p>{escape(note)}</p>" for note in self.notes)
        title = f"<caption>{escape(self.title)}</caption>"
        return f"<table>{title}<thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>{notes}"

    def _notes(self) -> list[str]:
        return ["", *map(_plain, self.notes)] if self.notes else []


def _plain(text: str) -> str:
    """Without what would move a terminal's cursor or colour it."""
    return "".join(letter if letter.isprintable() else " " for letter in text)


def _shown(cell: str) -> str:
    plain = _plain(cell)
    return plain if len(plain) <= WIDEST else f"{plain[: WIDEST - 1]}…"
