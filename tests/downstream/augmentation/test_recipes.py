from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from jsonargparse import auto_cli

from downstream.augmentation.recipes import Augmentation, SceneAugmentation, ShapeAugmentation
from downstream.types import LabelledCloud, LabelledVoxels
from pointcontrast.errors import InputError
from tests.oracles import finetuning_augmentation as authors

SCANNET = SceneAugmentation()
S3DIS = SceneAugmentation(
    elastic=[], max_tilt=math.pi / 32, clip=4.0, color_translation=0.05, color_jitter=0.005
)
SYNTHIA = SceneAugmentation(elastic=None, max_tilt=0, clip=18.0, translation_ratio=(0.1, 0.1, 0))
RECIPES = [
    (SCANNET, authors.Recipe()),
    (
        S3DIS,
        authors.Recipe((), np.pi / 32, clip=4.0, color_translation=0.05, color_jitter=0.005),
    ),
    (SYNTHIA, authors.Recipe((), 0.0, clip=18.0, translation_ratio=(0.1, 0.1, 0))),
]


def scene(num_points: int = 120, size: float = 12.0, seed: int = 0) -> LabelledCloud:
    rng = np.random.default_rng(seed)
    normals = rng.normal(size=(num_points, 3)).astype(np.float32)
    return LabelledCloud(
        name="room",
        points=(rng.random((num_points, 3)) * [size, 0.7 * size, 3] - 2).astype(np.float32),
        colors=rng.uniform(20, 230, (num_points, 3)).astype(np.float32),
        normals=normals / np.linalg.norm(normals, axis=1, keepdims=True),
        labels=np.arange(num_points, dtype=np.int32),
    )


def some_voxels(num_voxels: int = 50, dimensions: int = 3, seed: int = 0) -> LabelledVoxels:
    cloud = scene(num_voxels, seed=seed)
    rng = np.random.default_rng(seed)
    return LabelledVoxels(
        coordinates=rng.permutation(40 * dimensions * num_voxels)[: dimensions * num_voxels]
        .reshape(num_voxels, dimensions)
        .astype(np.int32),
        points=cloud.points,
        heights=cloud.points[:, 2],
        colors=cloud.colors,
        normals=cloud.normals,
        labels=cloud.labels,
    )


def generators(seed: int) -> tuple[np.random.Generator, np.random.Generator]:
    return np.random.default_rng(seed), np.random.default_rng(seed)


def arrays(value: LabelledCloud | LabelledVoxels) -> dict[str, np.ndarray]:
    return {name: array for name, array in vars(value).items() if isinstance(array, np.ndarray)}


@pytest.mark.parametrize(
    ("ours", "theirs", "size"),
    [(*RECIPES[0], 12.0), *((*RECIPES[1], size) for size in (3.0, 12.0)), (*RECIPES[2], 60.0)],
)
def test_before_voxels_is_the_authors_order_and_draws(
    ours: SceneAugmentation, theirs: authors.Recipe, size: float
) -> None:
    num_cropped = 0
    for seed in range(25):
        cloud = scene(60, size, seed)
        rng, reference_rng = generators(seed)
        changed = ours.before_voxels(cloud, rng)
        assert cloud.normals is not None
        points, normals, rows = authors.before_voxels(
            cloud.points, cloud.normals, reference_rng, theirs
        )
        assert rng.bit_generator.state == reference_rng.bit_generator.state
        assert changed.labels is not None
        assert changed.labels.tolist() == rows
        np.testing.assert_allclose(changed.points, points, atol=2e-4)
        np.testing.assert_allclose(changed.normals, normals, atol=1e-6)
        np.testing.assert_array_equal(changed.colors, scene(60, size, seed).colors[rows])
        num_cropped += len(rows) < 60
    assert (num_cropped > 0) == (theirs.clip is not None and size > theirs.clip)


@pytest.mark.parametrize(("ours", "theirs"), RECIPES)
@pytest.mark.parametrize("dimensions", [3, 4])
@pytest.mark.parametrize("has_colors", [True, False])
def test_after_voxels_is_the_authors_order_and_draws(
    ours: SceneAugmentation, theirs: authors.Recipe, dimensions: int, has_colors: bool
) -> None:
    for seed in range(40):
        voxels = some_voxels(dimensions=dimensions, seed=seed)
        if not has_colors:
            voxels = replace(voxels, colors=None)
        rng, reference_rng = generators(seed)
        changed = ours.after_voxels(voxels, rng)
        coordinates, colors, rows, signs = authors.after_voxels(
            voxels.coordinates, voxels.colors, reference_rng, theirs
        )
        assert rng.bit_generator.state == reference_rng.bit_generator.state
        np.testing.assert_array_equal(changed.coordinates, coordinates)
        assert changed.coordinates.dtype == np.int32
        np.testing.assert_array_equal(changed.labels, rows)
        np.testing.assert_array_equal(changed.heights, voxels.heights[rows])
        assert voxels.normals is not None
        np.testing.assert_array_equal(changed.normals, voxels.normals[rows] * signs)
        if colors is None:
            assert changed.colors is None
        else:
            np.testing.assert_allclose(changed.colors, colors, atol=1e-3)
            assert changed.colors is not None
            assert changed.colors.dtype == np.float32


@pytest.mark.parametrize("augmentation", [SCANNET, S3DIS, ShapeAugmentation(max_turn=1.0)])
def test_same_generator_same_sample_and_nothing_given_is_changed(
    augmentation: Augmentation,
) -> None:
    cloud, voxels = scene(), some_voxels()
    for seed in range(10):
        for call, given, fresh in (
            (augmentation.before_voxels, cloud, scene()),
            (augmentation.after_voxels, voxels, some_voxels()),
        ):
            first, second = (call(given, rng) for rng in generators(seed))
            for name, array in arrays(first).items():
                np.testing.assert_array_equal(array, arrays(second)[name])
            for name, array in arrays(given).items():
                np.testing.assert_array_equal(array, arrays(fresh)[name])
    one, other = (
        augmentation.before_voxels(cloud, np.random.default_rng(seed)).points for seed in (1, 2)
    )
    assert one.shape != other.shape or not np.allclose(one, other)


def test_without_distortion_shapes_and_angles_stay() -> None:
    cloud = scene()
    changed = SceneAugmentation(elastic=[]).before_voxels(cloud, np.random.default_rng(3))
    assert cloud.normals is not None
    assert changed.normals is not None
    before, after = (
        np.linalg.norm(c.points[:, None] - c.points[None], axis=2) for c in (cloud, changed)
    )
    scale = after[0, 1] / before[0, 1]
    assert 0.9 <= scale <= 1.1
    np.testing.assert_allclose(after, scale * before, atol=1e-4)
    np.testing.assert_allclose(
        (changed.points[1:] - changed.points[:-1]) @ changed.normals.T,
        scale * (cloud.points[1:] - cloud.points[:-1]) @ cloud.normals.T,
        atol=1e-4,
    )


def test_frames_of_a_clip_change_as_one() -> None:
    still = scene(size=40.0)
    clip = replace(
        still[np.tile(np.arange(len(still)), 3)],
        time=np.repeat(np.arange(3, dtype=np.int32), len(still)),
    )
    augmentation = SceneAugmentation(clip=10.0)
    for seed in range(10):
        changed = augmentation.before_voxels(clip, np.random.default_rng(seed))
        assert changed.time is not None
        first, second, third = (changed.points[changed.time == number] for number in range(3))
        np.testing.assert_array_equal(first, second)
        np.testing.assert_array_equal(first, third)


def test_what_is_switched_off_changes_nothing() -> None:
    off = SceneAugmentation(
        elastic_probability=0,
        max_tilt=0,
        max_turn=0,
        scale=(1, 1),
        dropout_probability=0,
        flip_probability=0,
        auto_contrast_probability=0,
        color_translation_probability=0,
        color_jitter_probability=0,
        max_shift=0,
    )
    rng = np.random.default_rng(0)
    changed, cloud = off.before_voxels(scene(), rng), scene()
    np.testing.assert_array_equal(changed.points, cloud.points)
    np.testing.assert_array_equal(changed.normals, cloud.normals)
    for name, array in arrays(off.after_voxels(some_voxels(), rng)).items():
        np.testing.assert_array_equal(array, arrays(some_voxels())[name])


def test_how_much_and_how_often_are_two_figures() -> None:
    for probability, expected in ((1, 25), (0, 50)):
        augmentation = SceneAugmentation(dropout=0.5, dropout_probability=probability)
        assert len(augmentation.after_voxels(some_voxels(50), np.random.default_rng(0))) == expected


def test_shapes_are_jittered_then_stretched_then_turned() -> None:
    cloud = replace(scene(size=1.0), colors=None, category=3)
    rng, reference_rng = generators(4)
    changed = ShapeAugmentation(max_turn=0.5).before_voxels(cloud, rng)
    noise = reference_rng.standard_normal(cloud.points.shape, dtype=np.float32) * 0.01
    factors = reference_rng.uniform(0.9, 1.1, 3)
    turn = authors.rotation(reference_rng, 0.0, 0.5)
    assert rng.bit_generator.state == reference_rng.bit_generator.state
    np.testing.assert_allclose(
        changed.points, ((cloud.points + noise) * factors) @ turn.T, atol=1e-5
    )
    assert cloud.normals is not None
    leaning = cloud.normals / factors
    leaning /= np.linalg.norm(leaning, axis=1, keepdims=True)
    np.testing.assert_allclose(changed.normals, leaning @ turn.T, atol=1e-5)
    assert changed.category == 3
    voxels = some_voxels()
    assert ShapeAugmentation().after_voxels(voxels, rng) is voxels


def test_shapes_do_not_turn_unless_asked() -> None:
    augmentation = ShapeAugmentation(noise=0, scale=(1, 1))
    changed = augmentation.before_voxels(scene(), np.random.default_rng(0))
    np.testing.assert_array_equal(changed.points, scene().points)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"elastic": [[0.0, 0.4]]}, "elastic"),
        ({"elastic": [[0.2, -1.0]]}, "elastic"),
        ({"elastic": [[0.2]]}, "elastic"),
        ({"elastic": [[float("nan"), 0.4]]}, "elastic"),
        ({"elastic_probability": 1.2}, "elastic_probability 1.2"),
        ({"max_tilt": -0.1}, "max_tilt -0.1"),
        ({"max_turn": float("inf")}, "max_turn inf"),
        ({"scale": (1.1, 0.9)}, "scale"),
        ({"scale": (0.0, 1.0)}, "scale"),
        ({"scale": (1.0,)}, "scale"),
        ({"clip": 0.0}, "clip 0.0"),
        ({"translation_ratio": (0.2, 0.2)}, "translation_ratio"),
        ({"translation_ratio": (0.2, -0.2, 0.0)}, "translation_ratio"),
        ({"dropout": 1.5}, "dropout 1.5"),
        ({"dropout_probability": -1}, "dropout_probability"),
        ({"flip_probability": float("nan")}, "flip_probability"),
        ({"auto_contrast_probability": 2}, "auto_contrast_probability"),
        ({"color_translation": -1}, "color_translation -1"),
        ({"color_translation_probability": 2}, "color_translation_probability"),
        ({"color_jitter": -1}, "color_jitter -1"),
        ({"color_jitter_probability": 2}, "color_jitter_probability"),
        ({"max_shift": -1}, "max_shift -1"),
    ],
)
def test_bad_values_of_scenes_are_named(values: dict, said: str) -> None:
    with pytest.raises(InputError, match=said):
        SceneAugmentation(**values)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"noise": -1}, "noise -1"),
        ({"noise_clip": float("nan")}, "noise_clip nan"),
        ({"scale": (2.0, 1.0)}, "scale"),
        ({"max_turn": -1}, "max_turn"),
    ],
)
def test_bad_values_of_shapes_are_named(values: dict, said: str) -> None:
    with pytest.raises(InputError, match=said):
        ShapeAugmentation(**values)


def given_augmentation(augmentation: Augmentation | None = None) -> Augmentation | None:
    return augmentation


@pytest.mark.parametrize(
    ("yaml", "expected"),
    [
        (
            "\n  class_path: downstream.augmentation.SceneAugmentation",
            SceneAugmentation(elastic=[(0.2, 0.4), (0.8, 1.6)]),
        ),
        (
            """
  class_path: downstream.augmentation.SceneAugmentation
  init_args: {elastic: [], max_tilt: 0.09817477042468103, clip: 4.0, color_translation: 0.05,
    color_jitter: 0.005}""",
            S3DIS,
        ),
        (
            """
  class_path: downstream.augmentation.SceneAugmentation
  init_args: {elastic: [[0.1, 0.3]], clip: null, scale: [1, 2], translation_ratio: [1, 0, 0]}""",
            SceneAugmentation(
                elastic=[(0.1, 0.3)], scale=(1.0, 2.0), translation_ratio=(1.0, 0.0, 0.0)
            ),
        ),
        (
            """
  class_path: downstream.augmentation.ShapeAugmentation
  init_args: {max_turn: 0.5}""",
            ShapeAugmentation(max_turn=0.5),
        ),
        ("null", None),
    ],
)
def test_is_named_in_a_yaml(yaml: str, expected: Augmentation | None, tmp_path: Path) -> None:
    file = tmp_path / "finetune.yaml"
    file.write_text(f"augmentation: {yaml}\n")
    assert auto_cli(given_augmentation, args=[f"--config={file}"]) == expected
