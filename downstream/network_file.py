"""Files of finetuned networks: backbone, head, input, task and benchmark, in one safetensors file.

The header has the same ``backbone`` part as a backbone file, so that a network can be finetuned
further or looked at; head, task and benchmark are added to it. The file is all that prediction
needs: class names, box sizes and how points are prepared are in it, and no data is read. As there,
nothing in the file runs when it is read.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from downstream.benchmarks import Benchmark
from downstream.benchmarks.cloud_preparation import CloudPreparation
from downstream.heads import Head
from downstream.network import Network
from downstream.older_files import older_preparation, older_task
from downstream.tasks import Task
from pointcontrast.data.network_input import NetworkInput
from pointcontrast.errors import InputError
from pointcontrast.sparse import EngineName
from pointcontrast.weights.backbone_file import build_backbone
from pointcontrast.weights.backbone_header import (
    NETWORK_FORMAT,
    BackboneMetadata,
    backbone_header,
    read_backbone_header,
)
from pointcontrast.weights.known_classes import import_path, known_class
from pointcontrast.weights.safetensors_file import BACKBONE, read_safetensors, write_safetensors

BEST = "best.safetensors"
LAST = "last.safetensors"


@dataclass(frozen=True, kw_only=True)
class FinetunedNetwork:
    """A network as it was read, in evaluation mode.

    To predict without the benchmark's data, take :meth:`task` and :attr:`preparation`::

        finetuned = read_network(Path("runs/s3dis/TIME"))
        predictor = make_predictor(finetuned, finetuned.task(), device="cpu")
        prediction = predictor(finetuned.preparation.cloud("scan", points, colors=colors))

    Attributes:
        path: The file.
        network: Backbone and head.
        backbone: What the file says of the backbone, its input and its origin.
        benchmark_class: Import path of the benchmark's class.
        benchmark_arguments: Arguments of its constructor.
        class_names: Names of the classes, in the order of the outputs.
        num_outputs: Numbers that the head puts out for each voxel, cloud or proposal.
        preparation: How the points of a scan are prepared.
        task_class: Import path of the task's class; None in files of before it was written.
        task_arguments: Arguments of its constructor; None likewise.
    """

    path: Path
    network: Network
    backbone: BackboneMetadata
    benchmark_class: str
    benchmark_arguments: dict[str, Any]
    class_names: tuple[str, ...]
    num_outputs: int
    preparation: CloudPreparation
    task_class: str | None
    task_arguments: dict[str, Any] | None

    def task(self) -> Task:
        """Build the task from the file alone, without any data.

        Returns:
            A :class:`downstream.tasks.ClassTask` (``probabilities``; for parts of shapes
            ``category_names``) or a :class:`downstream.tasks.Detection` (``detect``).

        Raises:
            InputError: the class is not known; or the file is of before tasks were written, and of
                a benchmark that this project does not have.
        """
        if self.task_class is None or self.task_arguments is None:
            return older_task(
                self.path,
                known_class(self.benchmark_class, Benchmark),
                self.benchmark_arguments,
                self.class_names,
                self.num_outputs,
            )
        return known_class(self.task_class, Task)(**self.task_arguments)

    def benchmark(self, **changes: Any) -> Benchmark:
        """The benchmark that the network was trained on, for its data.

        Args:
            changes: Arguments that replace those of training, such as another ``root``.

        Raises:
            InputError: the class is not known, or its classes are no longer those of the file.
        """
        found = known_class(self.benchmark_class, Benchmark)
        benchmark = found(**{**self.benchmark_arguments, **changes})
        benchmark.take_classes(self.class_names)
        if tuple(benchmark.class_names) != self.class_names:
            order = sorted(benchmark.class_names) == sorted(self.class_names)
            raise InputError(
                f"the network was trained for the classes {', '.join(self.class_names)}, the data "
                f"has {', '.join(benchmark.class_names)}"
                + ("; write the labels in the network's order" if order else "")
            )
        return benchmark


def save_network(
    path: Path,
    network: Network,
    network_input: NetworkInput,
    benchmark: Benchmark,
    provenance: dict[str, Any],
) -> None:
    """Write a finetuned network with its weights as they are, atomically."""
    task = benchmark.task
    target = {
        "class": import_path(type(benchmark)),
        "arguments": benchmark.saved_arguments(),
        "class_names": list(benchmark.class_names),
        "num_outputs": task.num_outputs,
    }
    parts = {
        "head": _class_and_arguments(network.head),
        "benchmark": target,
        "task": _class_and_arguments(task),
        "preparation": asdict(benchmark.preparation),
    }
    header = backbone_header(network.backbone, network_input, provenance, NETWORK_FORMAT)
    header |= {name: json.dumps(part) for name, part in parts.items()}
    write_safetensors(path, network.state_dict(), header)


def _class_and_arguments(value: Head | Task) -> dict[str, Any]:
    return {"class": import_path(type(value)), "arguments": value.arguments}


def read_network(path: Path, engine: EngineName = "auto") -> FinetunedNetwork:
    """Read a finetuned network.

    Args:
        path: Network file, or a run's folder, of which the best network is taken.
        engine: Engine to build it on; the weights are the same for both.

    Raises:
        InputError: the file is absent, damaged, or not of a finetuned network.
    """
    if path.is_dir():
        pretrained = path / BACKBONE
        path = pretrained if pretrained.exists() and not (path / BEST).exists() else path / BEST
    weights, header = read_safetensors(path)
    if header.get("format") != NETWORK_FORMAT:
        raise InputError(
            f"{path} is a pretrained backbone, which predicts nothing yet: finetune it "
            f"(tools/finetune.py --model.weights {path}), or take its features with "
            "pointcontrast.load or tools/features.py"
        )
    metadata = read_backbone_header(path, header)
    head, target = json.loads(header["head"]), json.loads(header["benchmark"])
    task = json.loads(header.get("task", "{}"))
    backbone = build_backbone(metadata, engine, path)
    head_class = known_class(head["class"], Head)
    network = Network(
        backbone,
        head_class(backbone.level_channels, target["num_outputs"], **head["arguments"]),
    )
    try:
        network.load_state_dict(weights, strict=True)
    except RuntimeError as error:
        raise InputError(f"{path} does not hold the weights it says it does: {error}") from None
    if "preparation" in header:
        preparation = CloudPreparation(**json.loads(header["preparation"]))
    else:
        preparation = older_preparation(target["class"], target["arguments"])
    return FinetunedNetwork(
        path=path,
        network=network.eval(),
        backbone=metadata,
        benchmark_class=target["class"],
        benchmark_arguments=target["arguments"],
        class_names=tuple(target["class_names"]),
        num_outputs=target["num_outputs"],
        preparation=preparation,
        task_class=task.get("class"),
        task_arguments=task.get("arguments"),
    )
