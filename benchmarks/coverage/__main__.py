"""`python -m benchmarks.coverage`: fill what is missing in the table and write the page anew after each model."""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path
from typing import Any

from benchmarks.coverage.cells import Cell, columns, run_row
from benchmarks.coverage.page import mark, render
from benchmarks.coverage.registry import ARCHITECTURES, Architecture
from benchmarks.results import FOLDER, machine
from orilla_runtime.files import replaced

REPOSITORY = Path(__file__).resolve().parents[2]
NAME = "coverage"
LIMIT = 900.0


def main() -> None:
    """Run the cells that are missing or failed, of the models that were asked for, the small ones first."""
    asked = _arguments()
    # A worker's path does not hold the folder that it was started in.
    paths = [str(REPOSITORY), os.environ.get("PYTHONPATH", "")]
    os.environ["PYTHONPATH"] = os.pathsep.join(path for path in paths if path)
    table = Table(asked.results / f"{NAME}.json")
    for architecture in _chosen(asked):
        wanted = [
            column
            for column in asked.columns or columns()
            if asked.again or not table.is_finished(architecture.name, column)
        ]
        if not asked.render and wanted:
            run_row(architecture, wanted, asked.limit, table.recorder(architecture.name))
    table.write()
    with replaced(asked.page / f"{NAME}.md") as part:
        part.write_text(render(table.document()), encoding="utf-8")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.coverage", description=__doc__)
    parser.add_argument("--only", action="append", choices=list(ARCHITECTURES), metavar="NAME", help="this model")
    parser.add_argument(
        "--column", dest="columns", action="append", choices=columns(), metavar="FORMAT:PRECISION", help="this column"
    )
    parser.add_argument("--quick", action="store_true", help="small models alone")
    parser.add_argument("--again", action="store_true", help="run finished cells too")
    parser.add_argument("--render", action="store_true", help="run nothing, write the page")
    parser.add_argument("--limit", type=float, default=LIMIT, help="seconds that one conversion may take")
    parser.add_argument("--results", type=Path, default=FOLDER, help="folder of coverage.json")
    parser.add_argument("--page", type=Path, default=REPOSITORY / "docs", help="folder of coverage.md")
    return parser.parse_args()


def _chosen(asked: argparse.Namespace) -> list[Architecture]:
    sizes = ("small",) if asked.quick else ("small", "medium", "large")
    named = [ARCHITECTURES[name] for name in asked.only or ARCHITECTURES]
    return sorted((one for one in named if asked.only or one.size in sizes), key=lambda one: _ORDER[one.size])


_ORDER = {"small": 0, "medium": 1, "large": 2}


class Table:
    """The finished cells, on disk after each one."""

    def __init__(self, path: Path) -> None:
        self._path = path
        found = json.loads(path.read_text(encoding="utf-8"))["rows"] if path.is_file() else {}
        self._rows: dict[str, dict[str, Cell]] = {name: dict(found.get(name, {})) for name in ARCHITECTURES}

    def is_finished(self, name: str, column: str) -> bool:
        """False for what was never run and for what is marked as a fault: the converters may have been mended."""
        return mark(self._rows[name].get(column)) not in {"–", "✗"}

    def recorder(self, name: str) -> Any:
        """Takes the cells of one model."""

        def record(column: str, cell: Cell) -> None:
            self._rows[name][column] = cell
            self.write()
            shown = mark(cell, column.endswith(":float32"))
            print(f"{name:24} {column:16} {shown:24} {cell['seconds']:6} s  {cell.get('reason', '')}", flush=True)

        return record

    def document(self) -> dict[str, Any]:
        """What `coverage.json` holds; the columns in the converters' order."""
        ordered = {
            name: {column: cells[column] for column in columns() if column in cells}
            for name, cells in self._rows.items()
        }
        return {"machine": machine(), "columns": columns(), "rows": ordered}

    def write(self) -> None:
        """Write the cells that are known."""
        with replaced(self._path) as part:
            part.write_text(json.dumps(self.document(), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
