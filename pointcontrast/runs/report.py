"""The report at the end of a run: a table of scores, and curves."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pointcontrast.errors import InputError
from pointcontrast.files import atomic_file
from pointcontrast.retrieval import candidates_note, score_titles
from pointcontrast.runs.folder import METRICS, read_metrics


def format_scores(before: dict[str, float], after: dict[str, float]) -> str:
    """Format the retrieval figures of held-out pairs before and after training as a table."""
    if not after:
        return "no held-out pairs were scored (data.holdout_fraction is 0, or none overlap)"
    lines = [f"{'held-out pairs':<24}{'before':>10}{'after':>10}{'ratio':>9}"]
    for key, title in score_titles(after).items():
        ratio = ""
        if key in ("top1_accuracy", "inlier_ratio") and before[key] > 0:
            ratio = f"{after[key] / before[key]:.1f}x"
        lines.append(f"{title:<24}{before[key]:>10.4f}{after[key]:>10.4f}{ratio:>9}")
    note = candidates_note(after)
    if note is not None:
        lines.append(f"note: {note}")
    return "\n".join(lines) + "\n"


def draw_curves(path: Path, runs: dict[str, list[dict[str, Any]]]) -> None:
    """Draw training loss and held-out match accuracy over steps as a PNG.

    Args:
        path: File to write, PNG.
        runs: Lines of ``metrics.jsonl`` by the name of the run.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 3.4), dpi=120, layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(1, 2)
    titles = {
        "train/loss": "training loss",
        "validation/top1_accuracy": "top-1 match accuracy, held-out pairs",
    }
    for axes, (key, title) in zip(panels, titles.items(), strict=True):
        for name, metrics in runs.items():
            points = [(line["step"], line[key]) for line in metrics if key in line]
            axes.plot(
                [step for step, _ in points],
                [value for _, value in points],
                marker="o" if len(points) < 30 else None,
                markersize=3,
                linewidth=1.2,
                label=name,
            )
        axes.set_xlabel("step")
        axes.set_title(title, fontsize=10)
        axes.grid(alpha=0.3)
    panels[1].set_ylim(bottom=0)
    panels[1].legend(fontsize=8)
    with atomic_file(path) as partial:
        figure.savefig(partial)


def compare_runs(folders: list[Path], png: Path) -> list[Path]:
    """Draw the curves of several runs into one PNG, and return its path in a list.

    Raises:
        InputError: A folder holds no run, or two have one name.
    """
    runs = {folder.name: read_metrics(folder) for folder in folders}
    for folder in folders:
        if not runs[folder.name]:
            raise InputError(f"{folder} holds no {METRICS}; give folders of runs")
    if len(runs) < len(folders):
        raise InputError(f"two of {', '.join(map(str, folders))} have one name; rename one")
    draw_curves(png, runs)
    return [png]
