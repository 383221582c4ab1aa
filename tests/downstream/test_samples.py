from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from downstream.augmentation.recipes import Augmentation, SceneAugmentation, ShapeAugmentation
from downstream.samples import SampleMaker
from downstream.types import IGNORE, UNANNOTATED, LabelledCloud, LabelledVoxels
from pointcontrast.data.network_input import FeatureName, NetworkInput
from pointcontrast.errors import InputError
from tests.oracles import finetuning_augmentation as authors

ALL: tuple[FeatureName, ...] = ("height", "color", "ones", "normal")


def scene(num_points: int = 900, seed: int = 0) -> LabelledCloud:
    rng = np.random.default_rng(seed)
    normals = rng.normal(size=(num_points, 3)).astype(np.float32)
    return LabelledCloud(
        name="area/room",
        points=rng.uniform(-2, 2, (num_points, 3)).astype(np.float32),
        colors=rng.uniform(0, 255, (num_points, 3)).astype(np.float32),
        normals=normals / np.linalg.norm(normals, axis=1, keepdims=True),
        labels=rng.integers(-1, 3, num_points).astype(np.int32),
        floor_height=-2.5,
    )


def clip(num_frames: int = 3) -> LabelledCloud:
    cloud = scene()
    time = np.random.default_rng(1).integers(0, num_frames, len(cloud)).astype(np.int32) * 2 + 1
    return replace(cloud, time=time)


def maker(
    augmentation: Augmentation | None = None,
    features: tuple[FeatureName, ...] = ALL,
    voxel_size: float = 0.4,
) -> SampleMaker:
    return SampleMaker(NetworkInput(voxel_size=voxel_size, features=features), augmentation)


def held(array: np.ndarray | None) -> np.ndarray:
    assert array is not None
    return array


def test_evaluation_is_the_authors_voxels() -> None:
    cloud = scene()
    voxels, inverse = maker().voxels(cloud)
    expected = authors.voxels(cloud.points, held(cloud.labels), 0.4)
    assert [tuple(voxel) for voxel in voxels.coordinates.tolist()] == list(expected)
    rows = np.array([row for row, _ in expected.values()])
    assert held(voxels.labels).tolist() == [label for _, label in expected.values()]
    assert {-1, 0, 1, 2} == set(held(voxels.labels).tolist())
    np.testing.assert_array_equal(voxels.colors, held(cloud.colors)[rows])
    np.testing.assert_array_equal(voxels.normals, held(cloud.normals)[rows])
    np.testing.assert_allclose(voxels.heights, cloud.points[rows, 2] + 2.5, atol=1e-6)
    assert voxels.coordinates.min(axis=0).tolist() == [0, 0, 0]
    own = np.floor(cloud.points / np.float32(0.4))
    np.testing.assert_array_equal(voxels.coordinates[inverse], own - own.min(axis=0))


def test_the_grid_is_that_of_the_benchmarks_frame() -> None:
    points = np.array([[0.95, 5, 5], [1.05, 5, 5], [1.5, 5, 5]], np.float32)
    voxels, inverse = maker(features=("ones",), voxel_size=1.0).voxels(
        LabelledCloud(name="three", points=points)
    )
    assert inverse.tolist() == [0, 1, 1]  # counted from 0.95 m they would all be in one
    assert voxels.coordinates.tolist() == [[0, 0, 0], [1, 0, 0]]


@pytest.mark.parametrize("cloud", [scene(), clip()])
def test_without_a_generator_nothing_is_random(cloud: LabelledCloud) -> None:
    plain, augmenting = maker(), maker(SceneAugmentation())
    voxels, _ = plain.voxels(cloud)
    for sample in (
        plain(cloud, None),
        augmenting(cloud, None),
        plain(cloud, np.random.default_rng(0)),
    ):
        np.testing.assert_array_equal(sample.coordinates, voxels.coordinates)
        np.testing.assert_array_equal(sample.labels, voxels.labels)
        np.testing.assert_array_equal(sample.features, plain.features(voxels))
        assert sample.name == "area/room"
        assert sample.category == IGNORE


def test_features_stand_in_the_order_asked_for() -> None:
    voxels, _ = maker().voxels(scene())
    features = maker().features(voxels)
    assert features.dtype == np.float32
    np.testing.assert_array_equal(features[:, 0], voxels.heights)
    np.testing.assert_allclose(features[:, 1:4], held(voxels.colors) / 255 - 0.5, atol=1e-6)
    np.testing.assert_array_equal(features[:, 4:7], 1)
    np.testing.assert_array_equal(features[:, 7:], voxels.normals)
    only = maker(features=("color",)).features(voxels)
    np.testing.assert_array_equal(only, features[:, 1:4])


def test_frames_are_voxelised_on_their_own() -> None:
    cloud = clip()
    voxels, inverse = maker().voxels(cloud)
    assert voxels.coordinates.shape[1] == 4
    assert len(np.unique(voxels.coordinates, axis=0)) == len(voxels)
    time = held(cloud.time)
    np.testing.assert_array_equal(voxels.coordinates[inverse, 3], time)
    lowest = np.floor(cloud.points / np.float32(0.4)).min(axis=0)
    for frame in (1, 3, 5):
        own = cloud.points[time == frame]
        expected = authors.voxels(own, held(cloud.labels)[time == frame], 0.4)
        shift = np.floor(own / np.float32(0.4)).min(axis=0) - lowest
        mine = voxels.coordinates[:, 3] == frame
        got = {
            tuple(voxel): label
            for voxel, label in zip(
                (voxels.coordinates[mine, :3] - shift).astype(int).tolist(),
                held(voxels.labels)[mine].tolist(),
                strict=True,
            )
        }
        assert got == {voxel: label for voxel, (_, label) in expected.items()}


@pytest.mark.parametrize("cloud", [scene(), clip()])
@pytest.mark.parametrize(
    "augmentation", [SceneAugmentation(), SceneAugmentation(clip=1.5), ShapeAugmentation()]
)
def test_training_is_augmentation_around_voxels(
    cloud: LabelledCloud, augmentation: Augmentation
) -> None:
    for seed in range(5):
        sample = maker(augmentation)(cloud, np.random.default_rng(seed))
        rng = np.random.default_rng(seed)
        voxels, _ = maker().voxels(augmentation.before_voxels(cloud, rng))
        voxels = augmentation.after_voxels(voxels, rng)
        np.testing.assert_array_equal(sample.coordinates, voxels.coordinates)
        np.testing.assert_array_equal(sample.labels, voxels.labels)
        # all but the heights, which are of before
        np.testing.assert_array_equal(sample.features[:, 1:], maker().features(voxels)[:, 1:])
        assert sample.features.dtype == np.float32
        assert sample.coordinates.dtype == sample.labels.dtype == np.int32


@pytest.mark.parametrize("cloud", [scene(), clip()])
def test_heights_are_those_before_augmentation(cloud: LabelledCloud) -> None:
    augmentation = SceneAugmentation(
        max_tilt=0.5,
        clip=1.5,
        dropout_probability=1,
        auto_contrast_probability=0,
        color_translation_probability=0,
        color_jitter_probability=0,
    )
    height_of = {
        tuple(color): height
        for color, height in zip(
            (held(cloud.colors) / np.float32(255) - np.float32(0.5)).tolist(),
            cloud.points[:, 2] + np.float32(2.5),
            strict=True,
        )
    }
    for seed in range(5):
        sample = maker(augmentation)(cloud, np.random.default_rng(seed))
        assert 0 < len(sample) < len(cloud)
        expected = [height_of[tuple(color)] for color in sample.features[:, 1:4].tolist()]
        np.testing.assert_array_equal(sample.features[:, 0], expected)


def test_a_sample_depends_on_its_generator_alone_and_the_cloud_stays() -> None:
    cloud, before = clip(), clip()
    make = maker(SceneAugmentation(clip=1.5))
    first, second, other = (make(cloud, np.random.default_rng(seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first.coordinates, second.coordinates)
    np.testing.assert_array_equal(first.features, second.features)
    np.testing.assert_array_equal(first.labels, second.labels)
    assert not np.array_equal(first.coordinates[:50], other.coordinates[:50])
    for name in ("points", "colors", "normals", "labels", "time"):
        np.testing.assert_array_equal(getattr(cloud, name), getattr(before, name))


def test_only_voxel_size_and_features_of_the_pretraining_count() -> None:
    pretraining = NetworkInput(0.4, ALL, "vertical", 0.1, 1.0, 0.5)
    cloud = scene()
    for seed in (None, 3):
        ours, plain = (
            make(cloud, None if seed is None else np.random.default_rng(seed))
            for make in (SampleMaker(pretraining, ShapeAugmentation()), maker(ShapeAugmentation()))
        )
        np.testing.assert_array_equal(ours.coordinates, plain.coordinates)
        np.testing.assert_array_equal(ours.features, plain.features)


def test_a_shape_has_a_category_and_no_labels() -> None:
    shape = replace(scene(), labels=None, colors=None, category=7)
    make = maker(ShapeAugmentation(), features=("ones", "normal"), voxel_size=0.1)
    sample = make(shape, np.random.default_rng(0))
    assert sample.category == 7
    assert sample.labels.dtype == np.int32
    assert (sample.labels == IGNORE).all()
    assert len(sample.labels) == len(sample)


def test_one_annotated_point_labels_its_voxel() -> None:
    cloud = scene()
    labels = np.full(len(cloud), UNANNOTATED, np.int32)
    annotated = np.array([3, 40, 500])
    labels[annotated] = [2, 0, IGNORE]
    voxels, inverse = maker(voxel_size=1.0).voxels(replace(cloud, labels=labels))
    own = inverse[annotated]
    assert len(set(own.tolist())) == 3
    assert min(np.bincount(inverse)[own]) > 1
    expected = np.full(len(voxels), IGNORE)
    expected[own[:2]] = [2, 0]
    np.testing.assert_array_equal(voxels.labels, expected)


BROKEN = np.array([[0, 0, 0], [np.nan, 0, 0]], np.float32)


@pytest.mark.parametrize("seed", [None, 0])
@pytest.mark.parametrize(
    ("cloud", "said"),
    [
        (scene()[:0], "no point"),
        (LabelledCloud(name="area/room", points=BROKEN), "NaN or infinity"),
        (replace(scene(), colors=None), "'color' but the cloud has no colours"),
        (replace(scene(), normals=None), "'normal' but the cloud has no normals"),
        (
            replace(scene(2), points=np.array([[0, 0, 0], [1e9, 1e9, 1e9]], np.float32)),
            "outlier",
        ),
    ],
)
def test_what_no_sample_can_be_made_of_is_named(
    cloud: LabelledCloud, said: str, seed: int | None
) -> None:
    rng = None if seed is None else np.random.default_rng(seed)
    for augmentation in (SceneAugmentation(elastic_probability=1), ShapeAugmentation()):
        with pytest.raises(InputError, match=f"^area/room: .*{said}"):
            maker(augmentation, voxel_size=0.01)(cloud, rng)


class Careless(Augmentation):
    def before_voxels(self, cloud: LabelledCloud, rng: np.random.Generator) -> LabelledCloud:
        return LabelledCloud(name=cloud.name, points=cloud.points + 1)

    def after_voxels(self, voxels: LabelledVoxels, rng: np.random.Generator) -> LabelledVoxels:
        return voxels


class Emptying(Careless):
    def before_voxels(self, cloud: LabelledCloud, rng: np.random.Generator) -> LabelledCloud:
        return cloud[cloud.points[:, 0] > 100]


def test_an_augmentation_that_loses_what_is_known_is_a_mistake() -> None:
    with pytest.raises(TypeError, match=r"Careless\.before_voxels must return"):
        maker(Careless())(scene(), np.random.default_rng(0))


def test_an_augmentation_that_leaves_no_point_is_named() -> None:
    with pytest.raises(InputError, match=r"^area/room: .*no point"):
        maker(Emptying())(scene(), np.random.default_rng(0))
