"""A picture of the house, made from its imports; `python -m tests.house` draws it anew."""

from __future__ import annotations

import textwrap
from pathlib import Path

from tests.test_layers import APART, LAYERS, LEVEL, imported_rooms, modules, room

README = Path(__file__).parent.parent / "README.md"
WIDEST = 100  # characters of a line
ARROW = f"{'':11} → "
BEGIN, END = "<!-- house -->\n", "<!-- /house -->\n"


def picture():
    """A line for each room and what it imports, floor by floor, as a block for the README."""
    imports: dict[str, set[str]] = {}
    for path in modules():
        imports.setdefault(room(path), set()).update(imported_rooms(path))
    floors = [[_line(name, imports[name]) for name in floor] for floor in (*LAYERS, APART)]
    return "\n".join(["```text", *"\n\n".join(map("\n".join, floors)).splitlines(), "```", ""])


def _line(name, imported):
    others = sorted(imported - {name}, key=lambda other: (LEVEL.get(other, len(LAYERS)), other))
    if not others:
        return name
    wrapped = textwrap.wrap(" ".join(others), WIDEST - len(ARROW))
    return f"\n{' ' * len(ARROW)}".join([f"{name:11} → {wrapped[0]}", *wrapped[1:]])


def drawn(text):
    """The README with the picture in its place."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}{picture()}{END}{after}"


if __name__ == "__main__":
    README.write_text(drawn(README.read_text()))
