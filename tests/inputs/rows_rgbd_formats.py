"""Folders of posed depth images, in the formats and forms in which people have them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from pointcontrast.scenes.view_store import ViewStore
from pointcontrast.types import Frame
from tests.helpers import small_scenes
from tests.helpers.fork_server import output_of
from tests.inputs.makers_rgbd import (
    PREPARE_SMALL,
    millimetres,
    walking_frames,
    world_points,
    write_image_folder,
    write_seven_scenes,
)
from tests.inputs.makers_runs import PRETRAIN_SMALL
from tests.inputs.row import PREPARE, Row
from tests.recordings.rgbd.writers.open3d_trajectory import write_open3d
from tests.recordings.rgbd.writers.polycam import write_polycam
from tests.recordings.rgbd.writers.record3d import write_record3d
from tests.recordings.rgbd.writers.replica import write_replica
from tests.recordings.rgbd.writers.scannet_frames import write_scannet_frames
from tests.recordings.rgbd.writers.sun3d import write_sun3d
from tests.recordings.rgbd.writers.transforms_json import write_transforms

Write = Callable[[Path], object]
Check = Callable[[Path, str], None]

K = walking_frames(1)[0].intrinsics
INTRINSICS = ("--intrinsics", *(f"{value:g}" for value in (K[0, 0], K[1, 1], K[0, 2], K[1, 2])))
FORMATS: dict[str, Callable[[Path, list[Frame]], Path]] = {
    "transforms_json": write_transforms,
    "scannet_frames": write_scannet_frames,
    "replica": write_replica,
    "open3d_trajectory": write_open3d,
    "polycam": write_polycam,
    "record3d": write_record3d,
    "sun3d": write_sun3d,
}


def dense_frames() -> list[Frame]:
    """So many frames of one place that the self-check can tell conventions apart."""
    return [
        small_scenes.render(
            small_scenes.look(0.08 * i, 0.02 * i - 0.4, (0.05 * i - 0.4, 0.04 * i, 1.2 + 0.02 * i)),
            f"frame-{i:06d}",
            shrink=4,
        )
        for i in range(16)
    ]


def prepares(write: Write, *options: str) -> Callable[[Path], Sequence[object]]:
    """Make the input ``recording`` and prepare it."""

    def make(folder: Path) -> Sequence[object]:
        write(folder / "recording")
        return [PREPARE, "recording", "--output", "prepared", *PREPARE_SMALL, *options]

    return make


def views_are(frames: list[Frame], colors: bool = True, seen: slice | None = None) -> Check:
    """Check that the views are the frames' points (of ``seen``), and about their colours."""

    def check(folder: Path, said: str) -> None:
        views = ViewStore(folder / "prepared" / "recording")
        wanted = frames if seen is None else frames[seen]
        assert len(views) == len(wanted), said
        for view, frame in zip(views, wanted, strict=True):
            np.testing.assert_allclose(view.points, world_points([frame]), rtol=0, atol=2e-3)
            assert (view.colors is not None) == colors
            if view.colors is not None:
                expected = np.asarray(frame.color).reshape(-1, 3).astype(int)
                assert np.abs(view.colors.astype(int) - expected).mean() < 8  # JPEG

    return check


def right(
    name: str,
    kind: str,
    write: Write,
    *options: str,
    says: tuple[str, ...] = (),
    frames: list[Frame] | None = None,
    colors: bool = True,
    seen: slice | None = None,
) -> Row:
    """A row whose views must be the true ones."""
    return Row(
        name=name,
        kind=kind,
        make=prepares(write, *options),
        says=says,
        check=views_are(walking_frames() if frames is None else frames, colors, seen),
    )


def refused(name: str, kind: str, write: Write, *says: str, options: tuple[str, ...] = ()) -> Row:
    """A row whose only scene must fail, with one line and nothing written of it."""
    make = prepares(write, *options)
    absent = ("prepared/recording",)
    return Row(name=name, kind=kind, make=make, status=1, says=says, absent=absent)


def with_transforms(edit: Callable[[dict[str, Any]], object] | None = None) -> Write:
    """Write ``transforms.json`` after a change of its content."""
    return lambda folder: write_transforms(folder, walking_frames(), edit)


def each_frame(edit: Callable[[dict[str, Any]], object]) -> Write:
    """Write ``transforms.json`` after a change of each of its frames."""
    return with_transforms(lambda content: [edit(frame) for frame in content["frames"]])


def written(write: Callable[[Path, list[Frame]], object], change: Write) -> Write:
    """Write a recording, then change its files."""

    def make(folder: Path) -> None:
        write(folder, walking_frames())
        change(folder)

    return make


def all_formats(folder: Path) -> None:
    """Write and prepare the recording in every format, each as a scene of ``prepared``."""
    for name, write in FORMATS.items():
        write(folder / "recordings" / name, walking_frames())
    command = [PREPARE, "recordings", "--output", "prepared", *PREPARE_SMALL]
    output_of([*map(str, command)], folder)


def looks_at_all(folder: Path) -> Sequence[object]:
    for name, write in FORMATS.items():
        write(folder / "recordings" / name, walking_frames())
    return [PREPARE, "recordings", "--dry-run"]


def verifies_all(folder: Path) -> Sequence[object]:
    all_formats(folder)
    return [PREPARE, "verify", "prepared"]


def trains_all(folder: Path) -> Sequence[object]:
    all_formats(folder)
    return [*PRETRAIN_SMALL, "--data.root", "prepared", "--run_dir", "run"]


def trained(folder: Path, said: str) -> None:
    assert list(folder.rglob("backbone.safetensors")), said


# transforms.json


def _with_angle(content: dict[str, Any]) -> None:
    width, focal = content["w"], content["fl_x"]
    for key in ("fl_x", "fl_y", "cx", "cy"):
        del content[key]
    content["camera_angle_x"] = 2 * np.arctan(width / 2 / focal)


def _nerf_capture(content: dict[str, Any]) -> None:
    """NeRFCapture's names: no suffix, ``depth_path``, metres per unit."""
    content["integer_depth_scale"] = 10 / 10000
    for frame in content["frames"]:
        frame["file_path"] = frame["file_path"].removesuffix(".png")
        frame["depth_path"] = frame.pop("depth_file_path")


def _scaled(content: dict[str, Any]) -> None:
    content["applied_scale"] = 0.25
    content["applied_transform"] = np.eye(4)[[1, 0, 2]].tolist()
    for frame in content["frames"]:
        pose = np.array(frame["transform_matrix"])
        pose[:3, 3] *= 0.25
        frame["transform_matrix"] = pose.tolist()


def _larger_colors(folder: Path) -> None:
    """Colour of three times the size, and its intrinsics, as phones record them."""

    def edit(content: dict[str, Any]) -> None:
        for key in ("fl_x", "fl_y", "cx", "cy", "w", "h"):
            content[key] *= 3

    write_transforms(folder, walking_frames(), edit)
    for path in (folder / "images").iterdir():
        image = Image.open(path)
        image.resize((image.width * 3, image.height * 3), Image.Resampling.NEAREST).save(path)


def _opencv_axes(folder: Path) -> None:
    frames = dense_frames()

    def edit(content: dict[str, Any]) -> None:
        for frame, true in zip(content["frames"], frames, strict=True):
            frame["transform_matrix"] = true.world_from_camera.tolist()

    write_transforms(folder, frames, edit)


def _without_focal_lengths(content: dict[str, Any]) -> None:
    del content["fl_x"], content["fl_y"]


def _repeat(change: float) -> Callable[[dict[str, Any]], object]:
    def edit(content: dict[str, Any]) -> None:
        copy = json.loads(json.dumps(content["frames"][1]))
        copy["transform_matrix"][0][3] += change
        content["frames"].append(copy)

    return edit


TRANSFORMS = [
    right("transforms", "transforms_json", with_transforms()),
    right(
        "transforms-intrinsics-in-each-frame", "transforms_json",
        lambda folder: write_transforms(folder, walking_frames(), per_frame=True),
    ),
    right("transforms-camera-angle", "transforms_json", with_transforms(_with_angle)),
    right("transforms-of-nerf-capture", "transforms_json", with_transforms(_nerf_capture)),
    right("transforms-with-applied-scale", "transforms_json", with_transforms(_scaled)),
    right(
        "transforms-colour-larger-than-depth", "I", _larger_colors,
        says=("intrinsics of 120 x 90 pixels are scaled to the depth images of 40 x 30",),
    ),
    right(
        "transforms-without-colour-files", "C",
        written(write_transforms, lambda folder: shutil.rmtree(folder / "images")),
        says=("none of its colour images (file_path) is there",),
        colors=False,
    ),
    right(
        "transforms-without-one-pose", "D",
        with_transforms(lambda content: content["frames"][4].pop("transform_matrix")),
        says=("1 frames skipped",),
        seen=slice(4),
    ),
    right(
        "transforms-with-an-entry-twice", "E", with_transforms(_repeat(0)),
        says=("1 repeated entries are left out",),
    ),
    refused(
        "transforms-with-an-entry-in-two-poses", "E", with_transforms(_repeat(1)),
        "the same image with different poses",
    ),
    refused(
        "transforms-without-depth", "C", each_frame(lambda frame: frame.pop("depth_file_path")),
        "none of its 5 frames names a depth image (depth_file_path)", "images in depth/",
    ),
    refused(
        "transforms-whose-depth-is-elsewhere", "C",
        each_frame(lambda frame: frame.update(depth_file_path="/data/depth/1.png")),
        "names 5 depth images (/data/depth/1.png, ...), of which none is there",
    ),
    refused(
        "transforms-of-a-fisheye-camera", "I",
        with_transforms(lambda content: content.update(camera_model="OPENCV_FISHEYE")),
        "OPENCV_FISHEYE is no pinhole camera", "undistort",
    ),
    refused(
        "transforms-in-opencv-axes", "I", _opencv_axes, "--axes opencv",
    ),
    right(
        "transforms-in-stated-axes", "I", _opencv_axes, "--axes", "opencv",
        frames=dense_frames(),
    ),
    refused(
        "transforms-without-intrinsics", "C", with_transforms(_without_focal_lengths),
        "has no intrinsics (fl_x", "--intrinsics fx fy cx cy",
    ),
    right(
        "transforms-with-stated-intrinsics", "C",
        with_transforms(_without_focal_lengths),
        *INTRINSICS,
    ),
    refused(
        "transforms-cut-short", "G",
        written(write_transforms, lambda folder: (folder / "transforms.json").write_text("{\n")),
        "transforms.json is not valid JSON",
    ),
    refused(
        "transforms-of-another-program", "G",
        written(write_transforms, lambda folder: (folder / "transforms.json").write_text("{}")),
        'has no list "frames"',
    ),
]  # fmt: skip


# ScanNet's exported frames


def _lost(folder: Path) -> None:
    (folder / "pose" / "4.txt").write_text(4 * "-inf -inf -inf -inf\n")


def _beside_folders(folder: Path) -> None:
    """As in scannet_frames_25k, and 3 x 3."""
    for camera in ("depth", "color"):
        old = folder / "intrinsic" / f"intrinsic_{camera}.txt"
        np.savetxt(folder / f"intrinsics_{camera}.txt", np.loadtxt(old)[:3, :3])
        old.unlink()


def _color_camera_of_twice_the_size(folder: Path) -> None:
    write_scannet_frames(folder, walking_frames())
    matrix = np.loadtxt(folder / "intrinsic" / "intrinsic_color.txt")
    matrix[:2, :3] *= 2
    matrix[:2, 2] += 0.5
    np.savetxt(folder / "intrinsic" / "intrinsic_color.txt", matrix)
    for path in (folder / "color").iterdir():
        image = Image.open(path)
        image.resize((image.width * 2, image.height * 2), Image.Resampling.NEAREST).save(path)


def _color_made_smaller(folder: Path) -> None:
    """Colour resized to half, with the intrinsics of its old size."""
    write_scannet_frames(folder, walking_frames())
    for path in (folder / "color").iterdir():
        Image.open(path).reduce(2).save(path)


SCANNET = [
    right("scannet-frames", "scannet_frames", lambda f: write_scannet_frames(f, walking_frames())),
    right(
        "scannet-frames-unpadded", "scannet_frames",
        lambda f: write_scannet_frames(f, walking_frames(), first=80, step=20),
    ),
    right(
        "scannet-frames-that-lost-tracking", "scannet_frames",
        written(write_scannet_frames, _lost),
        says=("1 frames skipped",), seen=slice(4),
    ),
    right("scannet-frames-25k", "scannet_frames", written(write_scannet_frames, _beside_folders)),
    right("scannet-colour-of-another-size", "scannet_frames", _color_camera_of_twice_the_size),
    right(
        "scannet-colour-resized", "I", _color_made_smaller,
        says=("belongs to colour images of another size than 20 x 15",),
    ),
    refused(
        "scannet-frames-without-intrinsics", "C",
        written(write_scannet_frames, lambda f: (f / "intrinsic" / "intrinsic_depth.txt").unlink()),
        "has no intrinsic/intrinsic_depth.txt",
    ),
]  # fmt: skip


# Replica, Open3D, Polycam, Record3D


def _in_millimetres(folder: Path) -> None:
    write_replica(folder, dense_frames(), units_per_metre=1000)
    (folder / "cam_params.json").unlink()


def _open3d_json(folder: Path) -> None:
    """A trajectory of world-to-camera matrices by columns, with the intrinsics in it."""
    frames = walking_frames()
    write_open3d(folder, frames)
    intrinsic = json.loads((folder / "camera_intrinsic.json").read_text())
    extrinsics = [np.linalg.inv(frame.world_from_camera).T.ravel().tolist() for frame in frames]
    parameters = [{"extrinsic": each, "intrinsic": intrinsic} for each in extrinsics]
    (folder / "trajectory.json").write_text(json.dumps({"parameters": parameters}))
    (folder / "trajectory.log").unlink()
    (folder / "camera_intrinsic.json").unlink()


def _low_confidence(folder: Path) -> None:
    write_polycam(folder, walking_frames())
    for path in (folder / "keyframes" / "confidence").iterdir():
        image = np.array(Image.open(path))
        image[:, :10] = 0
        image[:, 10:20] = 127
        Image.fromarray(image).save(path)


def _without_low_confidence(folder: Path, said: str) -> None:
    views = ViewStore(folder / "prepared" / "recording")
    for view, frame in zip(views, walking_frames(), strict=True):
        kept = world_points([frame]).reshape(30, 40, 3)[:, 10:].reshape(-1, 3)
        np.testing.assert_allclose(view.points, kept, rtol=0, atol=2e-3)


OTHERS = [
    right("replica", "replica", lambda f: write_replica(f, walking_frames())),
    refused(
        "replica-of-another-size-without-intrinsics", "I", _in_millimetres,
        "not the 1200 x 680 of NICE-SLAM's Replica", "--intrinsics fx fy cx cy",
    ),
    refused(
        "replica-in-millimetres", "I", _in_millimetres, "--depth-scale 1000", options=INTRINSICS,
    ),
    right(
        "replica-in-stated-millimetres", "I", _in_millimetres, *INTRINSICS, "--depth-scale", "1000",
        frames=dense_frames(),
    ),
    right("open3d", "open3d_trajectory", lambda f: write_open3d(f, walking_frames())),
    right(
        "open3d-in-scene", "open3d_trajectory",
        lambda f: write_open3d(f, walking_frames(), "scene/trajectory.log"),
    ),
    right("open3d-json", "open3d_trajectory", _open3d_json),
    refused(
        "open3d-log-cut-short", "G",
        written(write_open3d, lambda f: (f / "trajectory.log").write_text("0 0 1\n1 0 0 0\n")),
        "trajectory.log has 2 lines, not 5 per frame",
    ),
    refused(
        "open3d-log-of-other-frames", "D",
        written(write_open3d, lambda f: ((f / "depth" / "000004.png").unlink()
                and None) or (f / "color" / "000004.png").unlink()),
        "trajectory.log has 5 poses for 4 frames",
    ),
    refused(
        "open3d-without-intrinsics", "C",
        written(write_open3d, lambda f: (f / "camera_intrinsic.json").unlink()),
        "not the 640 x 480 of Open3D's default camera",
    ),
    right("polycam", "polycam", lambda f: write_polycam(f, walking_frames(), color_scale=4),
          says=("are scaled to the depth images of 40 x 30",)),
    right("polycam-not-corrected", "polycam",
          lambda f: write_polycam(f, walking_frames(), corrected=False)),
    Row(
        name="polycam-low-confidence", kind="polycam", make=prepares(_low_confidence),
        check=_without_low_confidence,
    ),
    refused(
        "polycam-without-depth", "C",
        lambda f: (f / "keyframes" / "cameras").mkdir(parents=True),
        "has no depth/", "LiDAR",
    ),
    right("record3d", "record3d", lambda f: write_record3d(f, walking_frames())),
    right("sun3d", "sun3d", lambda f: write_sun3d(f, walking_frames())),
    refused(
        "sun3d-of-other-poses", "D",
        written(write_sun3d, lambda f: np.savetxt(f / "extrinsics" / "3.txt", np.eye(4)[:3])),
        "3.txt has 3 rows for 5 images",
    ),
    Row(name="every-format-looked-at", kind="formats", make=looks_at_all, says=tuple(FORMATS)),
    Row(name="every-format-verified", kind="formats", make=verifies_all,
        says=(f"{len(FORMATS)} scenes, {5 * len(FORMATS)} views", "nothing broken")),
    Row(name="every-format-trained", kind="formats", make=trains_all, check=trained),
]  # fmt: skip


# Forms of the files of a plain folder


def _with_intrinsics(content: str | bytes, name: str = "K.txt") -> Write:
    def change(folder: Path) -> None:
        (folder / "K.txt").unlink()
        data = content if isinstance(content, bytes) else content.encode()
        (folder / name).write_bytes(data)

    return written(write_image_folder, change)


def _in_text(change: Callable[[str], bytes], name: str = "poses.txt") -> Write:
    def rewrite(folder: Path) -> None:
        (folder / name).write_bytes(change((folder / name).read_text()))

    return written(write_image_folder, rewrite)


ROWS_OF_K = "\n".join(" ".join(map(repr, row)) for row in K.tolist())
FOUR_BY_FOUR = np.eye(4)
FOUR_BY_FOUR[:3, :3] = K
NAMED = {"fx": K[0, 0], "fy": K[1, 1], "cx": K[0, 2], "cy": K[1, 2]}


def _larger(scale: float) -> dict[str, float]:
    """Intrinsics of an image with ``scale`` times as many pixels a side."""
    return {
        "fx": K[0, 0] * scale,
        "fy": K[1, 1] * scale,
        "cx": (K[0, 2] + 0.5) * scale - 0.5,
        "cy": (K[1, 2] + 0.5) * scale - 0.5,
    }


FORMS = [
    right(f"intrinsics-{name}", "N", _with_intrinsics(content, file))
    for name, content, file in (
        ("four-by-four", "\n".join(" ".join(map(repr, r)) for r in FOUR_BY_FOUR.tolist()), "K.txt"),
        ("on-one-line", ROWS_OF_K.replace("\n", " "), "K.txt"),
        ("of-four-numbers", " ".join(map(str, NAMED.values())), "K.txt"),
        ("in-json", json.dumps(NAMED), "camera.json"),
        ("of-open3d", json.dumps({"intrinsic_matrix": K.T.ravel().tolist()}), "intrinsic.json"),
        ("with-commas", ROWS_OF_K.replace(" ", ","), "K.txt"),
        ("with-a-byte-order-mark", ROWS_OF_K.encode("utf-8-sig"), "K.txt"),
        ("in-utf-16", ROWS_OF_K.encode("utf-16"), "K.txt"),
        ("in-another-file", ROWS_OF_K, "intrinsics.txt"),
    )
] + [
    right(
        "intrinsics-of-a-stated-larger-image", "I",
        _with_intrinsics(json.dumps({**_larger(1.5), "width": 60, "height": 45}), "camera.json"),
        says=("intrinsics of 60 x 45 pixels are scaled to the depth images of 40 x 30",),
    ),
    refused(
        "intrinsics-of-a-larger-image", "I",
        _with_intrinsics(" ".join(map(str, _larger(1.25).values()))),
        "images are 40 x 30 pixels, but the intrinsics have their principal point at 24.5, 18.2",
    ),
    right("poses-in-utf-16", "N", _in_text(lambda text: text.encode("utf-16"))),
    right("poses-with-a-byte-order-mark", "N", _in_text(lambda text: text.encode("utf-8-sig"))),
    right("poses-with-commas", "N", _in_text(lambda text: text.replace(" ", ", ").encode())),
    refused(
        "poses-in-latin-1", "N", _in_text(lambda text: ("# für\n" + text).encode("latin-1")),
        "poses.txt is not text in UTF-8",
    ),
]  # fmt: skip


# Colour and depth images of a plain folder


def _rename_folder(old: str, new: str) -> Write:
    return written(write_image_folder, lambda folder: (folder / old).rename(folder / new))


def _semantic_nerf(folder: Path) -> None:
    """Names of Semantic-NeRF's Replica, with frames 8 to 12."""
    write_image_folder(folder, walking_frames())
    for kind, old in (("rgb", "images"), ("depth", "depth")):
        for index, path in enumerate(sorted((folder / old).iterdir())):
            path.rename(path.with_name(f"{kind}_{index + 8}.png"))
    (folder / "images").rename(folder / "rgb")
    (folder / "poses.txt").rename(folder / "traj_w_c.txt")


def _unpadded(folder: Path) -> None:
    write_image_folder(folder, walking_frames())
    for name in ("images", "depth"):
        for index, path in enumerate(sorted((folder / name).iterdir())):
            path.rename(path.with_name(f"{index + 8}.png"))


def _other_names(folder: Path) -> None:
    for index, path in enumerate(sorted((folder / "images").iterdir())):
        path.rename(path.with_name(f"{1700 + 33 * index}.png"))


def _pictures(folder: Path) -> None:
    """Depth as floats, and a picture of each to look at."""
    for path, frame in zip(sorted((folder / "depth").iterdir()), walking_frames(), strict=True):
        np.save(path.with_suffix(".npy"), frame.depth)
        Image.fromarray((frame.depth * 50).astype(np.uint8)).save(path)


def _leftovers(folder: Path) -> None:
    for name in ("images", "depth"):
        (folder / name / "Thumbs.db").write_bytes(b"\xd0\xcf\x11\xe0")
        (folder / name / ".DS_Store").write_bytes(b"Bud1")
        (folder / name / "desktop.ini").write_text("[ViewState]")


def _copies(folder: Path) -> None:
    for name in ("images", "depth"):
        data = (folder / name / "00001.png").read_bytes()
        for copy in ("00001 - Copy.png", "00001 (1).png", "00001 copy.png"):
            (folder / name / copy).write_bytes(data)


def _depth_as(suffix: str, save: Callable[[Path, Frame], object]) -> Write:
    def change(folder: Path) -> None:
        for path, frame in zip(sorted((folder / "depth").iterdir()), walking_frames(), strict=True):
            path.unlink()
            save(path.with_suffix(suffix), frame)

    return written(write_image_folder, change)


def _colors_as(suffix: str, save: Callable[[Path, Image.Image], object]) -> Write:
    def change(folder: Path) -> None:
        for path in sorted((folder / "images").iterdir()):
            image = Image.open(path)
            image.load()
            path.unlink()
            save(path.with_suffix(suffix), image)

    return written(write_image_folder, change)


def _exr(path: Path, frame: Frame) -> None:
    import OpenEXR

    OpenEXR.File({"type": OpenEXR.scanlineimage}, {"Z": frame.depth}).write(str(path))


def _pgm(path: Path, frame: Frame) -> None:
    units = millimetres(frame.depth)
    path.write_bytes(b"P5\n40 30\n9999\n" + units.astype(">u2").tobytes())


def _all_pgm(folder: Path) -> None:
    for path, frame in zip(sorted(folder.glob("*.depth.png")), walking_frames(), strict=True):
        path.unlink()
        _pgm(path.with_suffix(".pgm"), frame)


def _float_millimetres(path: Path, frame: Frame) -> None:
    np.save(path, frame.depth * 1000)


def _grey_views(folder: Path, said: str) -> None:
    views = ViewStore(folder / "prepared" / "recording")
    for view in views:
        assert view.colors is not None
        spread = np.ptp(view.colors.astype(int), axis=1)
        assert spread.max() <= 2
        assert np.ptp(view.colors) > 20


def _rotated_view(path: Path, image: Image.Image) -> None:
    exif = image.getexif()
    exif[0x0112] = 6  # to be shown upright; the pixels are the sensor's, as those of depth
    image.save(path, exif=exif)


IMAGES = [
    *(right(f"colours-in-{name}", "J", _rename_folder("images", name))
      for name in ("color", "colour", "rgb", "image", "colors")),
    right("depth-in-depths", "N", _rename_folder("depth", "depths")),
    right(
        "names-of-semantic-nerf", "J", _semantic_nerf,
        says=("in the order of their numbers (depth_8, depth_9, depth_10, ...)",),
    ),
    right(
        "unpadded-names-with-rows-of-poses", "I", _unpadded,
        says=("in the order of their numbers (8, 9, 10, ...)",),
    ),
    refused(
        "colours-of-other-names", "J", written(write_image_folder, _other_names),
        "images: none of its 5 images has the name or the number of a depth image (1700.png, "
        "00000.png)",
    ),
    right("pictures-beside-float-depth", "I", written(write_image_folder, _pictures)),
    right("leftovers-of-file-managers", "E", written(write_image_folder, _leftovers)),
    right("copies-of-images", "E", written(write_image_folder, _copies)),
    right("colours-with-transparency", "J",
          _colors_as(".png", lambda path, image: image.convert("RGBA").save(path))),
    right("colours-in-a-palette", "J",
          _colors_as(".png", lambda path, image: image.quantize(64).save(path))),
    right("photographs-with-an-orientation", "J", _colors_as(".jpg", _rotated_view)),
    Row(name="grey-photographs", kind="J", check=_grey_views, make=prepares(
        _colors_as(".jpg", lambda path, image: image.convert("L").save(path)))),
    Row(name="colours-of-16-bits", kind="J", check=_grey_views, make=prepares(
        _colors_as(".png", lambda path, image: Image.fromarray(
            np.asarray(image.convert("L")).astype(np.uint16) * 257).save(path)))),
    right("depth-as-tiff", "N", _depth_as(
        ".tiff", lambda path, frame: Image.fromarray(millimetres(frame.depth)).save(path))),
    right("depth-as-float-tiff", "N", _depth_as(
        ".tif", lambda path, frame: Image.fromarray(frame.depth).save(path))),
    right("depth-as-npy", "N", _depth_as(".npy", lambda path, frame: np.save(path, frame.depth))),
    right("depth-as-exr", "N", _depth_as(".exr", _exr)),
    right("depth-as-pgm", "N", _depth_as(".pgm", _pgm)),
    refused("depth-as-a-picture", "I", _depth_as(
        ".png", lambda path, frame: Image.fromarray(
            (frame.depth * 50).astype(np.uint8)).save(path)),
        "it has 8 bits", "not a picture of it"),
    refused("depth-of-float-millimetres", "B", _depth_as(".npy", _float_millimetres),
            "which are no metres", "--depth-scale 1000"),
    right("depth-of-stated-float-millimetres", "B", _depth_as(".npy", _float_millimetres),
          "--depth-scale", "1000"),
    right("seven-scenes-with-pgm", "N", written(write_seven_scenes, _all_pgm)),
]  # fmt: skip

ROWS = [*TRANSFORMS, *SCANNET, *OTHERS, *FORMS, *IMAGES]
