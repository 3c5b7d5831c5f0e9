"""Lists on the terminal: aligned columns, whole words, nothing cut off in a pipe."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

from pydantic import BaseModel
from rich import box
from rich.console import Console
from rich.table import Table

_PIPE_WIDTH = 200


def print_table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print rows under their headings; a heading that ends in `#` is of numbers."""
    console = Console(highlight=False, markup=False)
    if not console.is_terminal:
        console = Console(width=_PIPE_WIDTH, highlight=False, markup=False)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold")
    for column in columns:
        right = column.endswith("#")
        table.add_column(column.rstrip("#"), justify="right" if right else "left", overflow="fold")
    for row in rows:
        table.add_row(*row)
    console.print(table)


def print_json(found: BaseModel | Sequence[BaseModel]) -> None:
    """Print an answer, or a list of them, as the API gave it."""
    value = (
        found.model_dump(mode="json")
        if isinstance(found, BaseModel)
        else [each.model_dump(mode="json") for each in found]
    )
    print(json.dumps(value, indent=2, ensure_ascii=False))


def counted(number: int, one: str, many: str | None = None) -> str:
    """`1 photo`, `2 photos`."""
    return f"{number} {one if number == 1 else many or one + 's'}"
