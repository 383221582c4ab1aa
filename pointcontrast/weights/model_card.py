"""Model cards: the documentation of a backbone file, written next to it.

Markdown with YAML front matter, the format of Hugging Face, where the card is named ``README.md``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

from pointcontrast.data.network_input import NetworkInput
from pointcontrast.errors import InputError
from pointcontrast.files import atomic_file, sha256
from pointcontrast.retrieval import candidates_note, score_titles

RECIPE = (
    "data.root",
    "data.pairs",
    "data.source",
    "data.batch_size",
    "model.loss",
    "model.optimizer",
    "model.schedule",
    "trainer.max_steps",
    "trainer.accumulate_grad_batches",
    "trainer.devices",
    "trainer.num_nodes",
    "trainer.precision",
    "seed_everything",
)
"""Keys of a run's configuration that its card lists, if present."""
_FACTS = ("name", "started", "version", "commit", "machine", "seed", "step")


def card_path(weights: Path) -> Path:
    """Path of the card of a backbone file: the same name with ``.md``."""
    return weights.with_suffix(".md")


def write_model_card(
    weights: Path,
    *,
    backbone_class: str,
    arguments: Mapping[str, Any],
    num_parameters: int,
    network_input: NetworkInput,
    provenance: Mapping[str, Any],
) -> Path:
    """Write the card of a backbone file, atomically.

    Args:
        weights: Backbone file, which must exist: its SHA-256 goes into the card.
        backbone_class: Import path of the class.
        arguments: Arguments of the class.
        num_parameters: Number of trainable parameters.
        network_input: Conversion of views to input features.
        provenance: Origin of the weights. That of a run has its configuration as YAML (``config``),
            ``scores`` and ``scores_before``, that of converted weights ``converted_from``.

    Returns:
        Path of the card.
    """
    digest = sha256(weights)
    front = {
        "library_name": "pointcontrast",
        "tags": ["point-cloud", "3d", "self-supervised-learning", "sparse-convolution"],
        "license": "other",
        "license_name": "that-of-the-training-data",
        "sha256": digest,
    }
    config = _config(provenance)
    sections = [
        f"---\n{yaml.safe_dump(front, sort_keys=False)}---\n",
        f"# {weights.stem}: {backbone_class.rpartition('.')[2]} "
        f"{arguments.get('variant', '')}".rstrip()
        + "\n",
        _what(weights, digest, num_parameters, arguments),
        _use(weights.name, arguments, network_input),
        _input(network_input),
        _origin(provenance, config),
        _changes(provenance),
        _metrics(provenance),
        "## Licence\n\nThe licence of the training data may apply to these weights, and may "
        "forbid commercial use or\nredistribution. Check it before you publish this file, and name "
        "it in the head of this card.\n",
    ]
    path = card_path(weights)
    with atomic_file(path) as partial:
        partial.write_text("\n".join(part for part in sections if part), encoding="utf-8")
    return path


def read_card_hash(text: str, name: str) -> str:
    """Read the SHA-256 of the weights from the front matter of a card.

    Args:
        text: Content of the card.
        name: Its name, for messages.

    Raises:
        InputError: The card has no SHA-256.
    """
    head = re.match(r"---\n(.*?)\n---\n", text, re.DOTALL)
    found = re.search(r"^sha256: ['\"]?([0-9a-f]{64})['\"]?$", head[1] if head else "", re.M)
    if found is None:
        raise InputError(f"{name} is not a model card with a sha256 in its head; give sha256")
    return found[1]


def _table(head: tuple[str, ...], rows: Iterable[tuple[Any, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "".join(f"| {' | '.join(_cell(value) for value in line)} |\n" for line in lines)


def _cell(value: Any) -> str:
    text = (
        yaml.safe_dump(value, default_flow_style=True, width=10_000)
        if isinstance(value, (dict, list))
        else f"{value}"
    )
    return text.strip().replace("|", "\\|").replace("\n", " ")


def _what(weights: Path, digest: str, num_parameters: int, arguments: Mapping[str, Any]) -> str:
    rows = [
        ("file", f"`{weights.name}`"),
        ("SHA-256", f"`{digest}`"),
        ("size", f"{weights.stat().st_size:,} bytes"),
        ("parameters", f"{num_parameters:,}"),
        *((name, value) for name, value in arguments.items()),
    ]
    text = "A sparse 3D network that computes a feature vector for each voxel of a scene."
    return f"{text}\n\n{_table(('', ''), rows)}"


def _use(name: str, arguments: Mapping[str, Any], network_input: NetworkInput) -> str:
    if int(arguments.get("dimension", 3)) == 3:
        given = ["points"]
        given += ["colors"] if "color" in network_input.features else []
        given += ["normals=normals"] if "normal" in network_input.features else []
        rows = ", ".join("(N, 3)" if row else "(N, 3) metres" for row in range(len(given)))
        lines = (
            "import pointcontrast",
            f'network = pointcontrast.load("{name}")',
            f"features = network({', '.join(given)})  # {rows} -> (N, C) float32",
        )
    else:  # in space and time: pointcontrast.load takes points in space
        lines = (
            "import pointcontrast",
            f'backbone, metadata = pointcontrast.load_backbone("{name}")',
            "features = backbone.encode(coordinates, inputs)  # (M, 5) int32, batch index first; "
            f"(M, {network_input.in_channels})",
        )
    code = "\n".join(lines)
    return (
        f"## Use\n\n```python\n{code}\n```\n\n"
        f"To finetune: `python tools/finetune.py --model.weights {name}`.\n"
    )


def _input(network_input: NetworkInput) -> str:
    rows = [
        ("voxel size", f"{network_input.voxel_size:g} m"),
        ("features", ", ".join(network_input.features)),
        ("channels", network_input.in_channels),
        ("rotation in training", network_input.rotation),
        ("tilts", f"up to {network_input.max_tilt:.4g} rad"),
        ("colour jitter", f"{network_input.color_jitter:g}"),
        ("noise on features", f"{network_input.feature_noise:g}"),
    ]
    return "## Input\n\n" + _table(("", ""), rows)


def _config(provenance: Mapping[str, Any]) -> dict[str, Any]:
    text = provenance.get("config")
    try:
        config = yaml.safe_load(text) if isinstance(text, str) else text
    except yaml.YAMLError:
        return {}
    return config if isinstance(config, dict) else {}


def _origin(provenance: Mapping[str, Any], config: Mapping[str, Any]) -> str:
    converted = provenance.get("converted_from")
    if isinstance(converted, Mapping):
        return (
            "## Origin\n\nConverted from a file of another program by `tools/convert_weights.py`."
            "\n\n" + _table(("", ""), converted.items())
        )
    rows = [(key, provenance[key]) for key in _FACTS if key in provenance]
    rows += [(key, value) for key in RECIPE if (value := _value_of(config, key)) is not None]
    return "## Data and recipe\n\n" + _table(("", ""), rows) if rows else ""


def _changes(provenance: Mapping[str, Any]) -> str:
    changes = provenance.get("changes")
    if not isinstance(changes, list) or not changes:
        return ""
    rows = [(change["step"], change["key"], change["was"], change["now"]) for change in changes]
    return (
        "## Changed within the run\n\nThese weights are a mixture: the settings above are those of "
        "the last steps only.\n\n"
        + _table(("after step", "setting", "before", "from then on"), rows)
    )


def _value_of(config: Mapping[str, Any], key: str) -> Any:
    value: Any = config
    for part in key.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value


def _metrics(provenance: Mapping[str, Any]) -> str:
    after, before = provenance.get("scores"), provenance.get("scores_before") or {}
    if not isinstance(after, Mapping) or not after:
        return ""
    rows = [
        (
            title,
            f"{before[key]:.4f}" if key in before else "",
            f"{after[key]:.4f}",
        )
        for key, title in score_titles(after).items()
        if key in after
    ]
    return (
        "## Metrics\n\nOn held-out pairs of views, before training (the same network with random "
        "weights) and after it.\n\n"
        + _table(("", "before", "after"), rows)
        + _note(candidates_note(after))
    )


def _note(text: str | None) -> str:
    return "" if text is None else f"\nNote: {text}.\n"
