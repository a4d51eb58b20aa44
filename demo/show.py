"""What the person at the terminal sees: progress and a small table; plain lines when piped."""

from __future__ import annotations

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from demo.result import Result

COLUMNS = ("labels", "test", "spans F1", "holdout", "corrected", "version", "to serving")


class Show:
    """`say` lasts, `progress` is replaced by the next one, `table` follows the rounds."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live: Live | None = None
        self._table: Table | None = None

    def say(self, text: str) -> None:
        """A line that stays."""
        self._console.print(text, highlight=False, markup=False, soft_wrap=True)

    def progress(self, text: str) -> None:
        """A line for the moment; on a pipe nothing, so that logs stay short."""
        if self._console.is_terminal:
            self._open().update(self._with(text))

    def table(self, result: Result) -> None:
        """The rounds so far; on a pipe only the newest one, as a line."""
        rows = lines(result)
        if self._console.is_terminal:
            self._table = make_table(rows)
            self._open().update(self._with(""))
        else:
            named = zip(COLUMNS, rows[-1], strict=True)
            self.say("  ".join(f"{name} {value}" for name, value in named))

    def close(self) -> None:
        """Leave the table on the screen and stop repainting."""
        if self._live:
            self._live.stop()
            self._live = None

    def _open(self) -> Live:
        if self._live is None:
            self._live = Live(console=self._console, refresh_per_second=8, transient=False)
            self._live.start()
        return self._live

    def _with(self, text: str) -> Group:
        parts = [self._table] if self._table else []
        return Group(*parts, Text(text, style="dim"))


def lines(result: Result) -> list[tuple[str, ...]]:
    """The table's cells: the cold start, then one row per round."""
    cold = result.cold_start
    first = ("0", _share(cold.get("test")), _share(cold.get("test_spans")), "-", "-")
    rows: list[tuple[str, ...]] = [(*first, str(cold.get("version", "-")), "-")]
    for r in result.rounds:
        wait = "-" if r.trigger_to_serving_s is None else f"{r.trigger_to_serving_s:.0f} s"
        rows.append(
            (
                str(r.labels),
                _share(r.test),
                _share(r.test_spans),
                _share(r.holdout),
                _share(r.correction_rate),
                r.version,
                wait if r.promoted else "kept",
            )
        )
    return rows


def make_table(rows: list[tuple[str, ...]]) -> Table:
    table = Table(title="annotune", title_justify="left")
    for name in COLUMNS:
        table.add_column(name, justify="left" if name == "version" else "right")
    for row in rows:
        table.add_row(*row)
    return table


def _share(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.1f} %"
