"""How a run looks on a terminal: one bar per stage, one line for what it found."""

from __future__ import annotations

from collections.abc import Mapping

from rich.console import Console as RichConsole
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)


class RunProgress:
    """An observer of a run that draws on stderr; quiet draws nothing."""

    def __init__(self, *, quiet: bool) -> None:
        self._console = RichConsole(stderr=True, quiet=quiet)
        self._bars = Progress(
            TextColumn("{task.description:<9}"),
            BarColumn(bar_width=24),
            TimeElapsedColumn(),
            TextColumn("[dim]{task.fields[note]}"),
            console=self._console,
            transient=True,
        )
        self._task: TaskID | None = None

    def __enter__(self) -> RunProgress:
        self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bars.stop()

    def started(self, stage: str) -> None:
        self._task = self._bars.add_task(stage, total=1.0, note="")

    def progress(self, share: float, note: str) -> None:
        assert self._task is not None, "progress outside of a stage"
        self._bars.update(self._task, completed=share, note=note)

    def done(self, stage: str, summary: str, seconds: float, reused: bool) -> None:
        assert self._task is not None, "the end of no stage"
        self._bars.remove_task(self._task)
        took = "done before" if reused else f"{seconds:.0f} s"
        line = f"[bold]{stage:<9}[/] {summary} [dim]({took})[/]"
        self._console.print(line, highlight=False, soft_wrap=True)


class TrainingProgress:
    """One bar for a training, with the loss and what the last evaluation found; quiet has none."""

    def __init__(self, *, quiet: bool) -> None:
        self._console = RichConsole(stderr=True, quiet=quiet)
        self._bars = Progress(
            TextColumn("training"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            TextColumn("[dim]{task.fields[note]}"),
            console=self._console,
            transient=True,
        )
        self._task = self._bars.add_task("training", total=None, note="reference")

    def __enter__(self) -> TrainingProgress:
        self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bars.stop()

    def update(self, step: int, n_steps: int, values: Mapping[str, float]) -> None:
        """After an update (a loss) or an evaluation (held-out measures)."""
        if "loss" in values:
            note = f"loss {values['loss']:.3f}"
            self._bars.update(self._task, completed=step, total=n_steps, note=note)
            return
        shown = ("held_out_loss", "held_out_accuracy", "kl_exact")
        found = [f"{name.replace('_', ' ')} {values[name]:.3f}" for name in shown if name in values]
        line = f"step {step}: {', '.join(found) or 'evaluated'}"
        self._console.print(line, highlight=False, soft_wrap=True)
