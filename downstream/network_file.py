"""Files of finetuned networks: backbone, head, input and benchmark, in one safetensors file.

The header has the same ``backbone`` part as a backbone file, so that such a network can be
finetuned further or looked at; beside it stand the head and the benchmark. As there, nothing in
the file runs when it is read.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from downstream.benchmarks import Benchmark
from downstream.heads import Head
from downstream.network import Network
from pointcontrast.data.network_input import NetworkInput
from pointcontrast.errors import InputError
from pointcontrast.sparse import EngineName
from pointcontrast.weights.backbone_file import (
    NETWORK_FORMAT,
    BackboneMetadata,
    backbone_header,
    build_backbone,
    read_backbone_header,
    read_safetensors,
    write_safetensors,
)
from pointcontrast.weights.known_classes import import_path, known_class

BEST = "best.safetensors"
LAST = "last.safetensors"


@dataclass(frozen=True, kw_only=True)
class FinetunedNetwork:
    """A network as it was read, in evaluation mode.

    Attributes:
        network: backbone and head.
        backbone: what the file says of the backbone and of where it came from.
        benchmark_class: import path of the benchmark's class.
        benchmark_arguments: what its constructor was given.
        class_names: what the outputs mean.
    """

    network: Network
    backbone: BackboneMetadata
    benchmark_class: str
    benchmark_arguments: dict[str, Any]
    class_names: tuple[str, ...]

    def benchmark(self, **changes: Any) -> Benchmark:
        """The benchmark that the network was trained on; ``changes`` such as another root.

        Raises:
            InputError: the class is not known, or its classes are no longer those of the file.
        """
        found = known_class(self.benchmark_class, Benchmark)
        benchmark = found(**{**self.benchmark_arguments, **changes})
        if tuple(benchmark.class_names) != self.class_names:
            raise InputError(
                f"the network was trained for the classes {', '.join(self.class_names)}, the data "
                f"has {', '.join(benchmark.class_names)}"
            )
        return benchmark


def save_network(
    path: Path,
    network: Network,
    network_input: NetworkInput,
    benchmark: Benchmark,
    provenance: dict[str, Any],
) -> None:
    """Write a finetuned network, atomically; weights as they stand."""
    head = {"class": import_path(type(network.head)), "arguments": network.head.arguments}
    target = {
        "class": import_path(type(benchmark)),
        "arguments": benchmark.saved_arguments(),
        "class_names": list(benchmark.class_names),
        "num_outputs": benchmark.task.num_outputs,
    }
    header = backbone_header(network.backbone, network_input, provenance, NETWORK_FORMAT)
    header |= {"head": json.dumps(head), "benchmark": json.dumps(target)}
    write_safetensors(path, network.state_dict(), header)


def read_network(path: Path, engine: EngineName = "auto") -> FinetunedNetwork:
    """Read a finetuned network.

    Args:
        path: the file, or a run's folder, of which the best network is taken.
        engine: to build it on; the weights are the same for both.

    Raises:
        InputError: the file is absent, damaged, or not of a finetuned network.
    """
    if path.is_dir():
        path = path / BEST
    weights, header = read_safetensors(path)
    if header.get("format") != NETWORK_FORMAT:
        raise InputError(f"{path} is not a finetuned network; give a {BEST} or {LAST} of a run")
    metadata = read_backbone_header(path, header)
    head, target = json.loads(header["head"]), json.loads(header["benchmark"])
    backbone = build_backbone(metadata, engine)
    head_class = known_class(head["class"], Head)
    network = Network(
        backbone,
        head_class(backbone.level_channels, target["num_outputs"], **head["arguments"]),
    )
    try:
        network.load_state_dict(weights, strict=True)
    except RuntimeError as error:
        raise InputError(f"{path} does not hold the weights it says it does: {error}") from None
    return FinetunedNetwork(
        network=network.eval(),
        backbone=metadata,
        benchmark_class=target["class"],
        benchmark_arguments=target["arguments"],
        class_names=tuple(target["class_names"]),
    )
