"""Write the sweeps of nuScenes as one folder of posed sweeps per scene, by links.

python datasets/nuscenes.py sweeps data/nuscenes --output data/nuscenes_sweeps
python tools/prepare_pairs.py data/nuscenes_sweeps --output data/nuscenes_pairs
"""

from __future__ import annotations

import argparse
from pathlib import Path

from pointcontrast.command_help import CommandHelp, CommandParser
from pointcontrast.errors import run_command
from pointcontrast.recordings.lidar.nuscenes import write_sweep_folders


def _parser() -> argparse.ArgumentParser:
    parser = CommandParser(
        prog="nuscenes.py", description=(__doc__ or "").splitlines()[0], formatter_class=CommandHelp
    )
    commands = parser.add_subparsers(dest="command", required=True)
    sweeps = commands.add_parser("sweeps", help="write the folders", formatter_class=CommandHelp)
    add = sweeps.add_argument
    add("release", type=Path, help="folder with <version>/sample_data.json, samples/ and sweeps/")
    add("--output", "-o", type=Path, required=True, help="folder of the scenes")
    add("--version", help="folder of the tables, such as v1.0-mini, if there are several")
    add("--channel", default="LIDAR_TOP", help="name of the LiDAR")
    return parser


def main() -> int:
    """Run the command; see ``--help``."""
    arguments = _parser().parse_args()

    def run() -> int:
        scenes = write_sweep_folders(
            arguments.release, arguments.output, arguments.version, arguments.channel
        )
        for scene in scenes:
            if scene.num_missing:
                print(f"note: {scene.name}: {scene.num_missing} sweeps of its tables are absent")
        sweeps = sum(scene.num_sweeps for scene in scenes)
        print(f"{len(scenes)} scenes, {sweeps} sweeps of {arguments.channel} in {arguments.output}")
        print(f"next: python tools/prepare_pairs.py {arguments.output} --output PREPARED")
        return 0

    return run_command(run)


if __name__ == "__main__":
    raise SystemExit(main())
