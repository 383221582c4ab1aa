"""Arrangement of furniture, against walls and in groups, as people furnish rooms."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pointcontrast.synthetic.clutter import (
    carton,
    ceiling_lamp,
    lamp,
    ornament,
    picture,
    plant,
    waste_bin,
)
from pointcontrast.synthetic.floorplan import FloorPlan, footprint, overlap, walkable
from pointcontrast.synthetic.furniture import bookcase, cabinet, desk, table
from pointcontrast.synthetic.pieces import Piece, Placement
from pointcontrast.synthetic.seating import bed, chair, sofa
from pointcontrast.synthetic.shell import Opening
from pointcontrast.synthetic.tabletop import laid_out

Maker = Callable[[np.random.Generator], Piece]

_WALK_CLEARANCE = 0.3  # metres from anything to the middle of a person
_TRIES = 25


class Arranger:
    """Furnishes a room; everything is drawn from one random stream.

    Attributes:
        plan: Ground plan of the room.
        rng: Source of randomness.
        placements: Pieces placed so far.
    """

    def __init__(self, plan: FloorPlan, openings: list[Opening], rng: np.random.Generator) -> None:
        self.plan = plan
        self.rng = rng
        self.placements: list[Placement] = []
        self._openings = openings
        self._standing: list[NDArray[np.float64]] = []  # footprints on the floor
        self._reserved: list[NDArray[np.float64]] = []  # nothing may stand there
        x, y = plan.size
        a, b = plan.notch
        self._needed_cells = 0.25 * len(np.flatnonzero(walkable(plan, [], _WALK_CLEARANCE)))
        if min(a, b) > 0:
            self._reserved.append(footprint((x - a, y - b), (x, y), (0, 0), 0.0))
        for opening in openings:
            if opening.class_name == "door":
                wall = plan.walls[opening.wall]
                low, high = (0.0, opening.low[0] - 0.1), (0.9, opening.high[0] + 0.1)
                self._reserved.append(footprint(low, high, wall.start, wall.heading))

    def stand(self, piece: Piece, position: ArrayLike, yaw: float, gap: float = 0.03) -> bool:
        """Put a piece on the floor at (x, y), unless it collides or leaves too little free space.

        Args:
            piece: Piece to place.
            position: (x, y, ...) world metres.
            yaw: Heading about world z, radians.
            gap: Smallest distance to other pieces, metres.

        Returns:
            Whether the piece was placed.
        """
        where = np.append(np.asarray(position, dtype=np.float64)[:2], 0.0)
        low, high = piece.bounds()
        tight = footprint(low, high, where, yaw)
        roomy = footprint(low[:2] - gap, high[:2] + gap, where, yaw)
        blocked = not self.plan.contains(tight, 0.015).all()
        blocked = blocked or any(overlap(roomy, other) for other in self._standing)
        blocked = blocked or any(overlap(tight, other) for other in self._reserved)
        if blocked:
            return False
        if walkable(self.plan, [*self._standing, tight], _WALK_CLEARANCE).sum() < max(
            self._needed_cells, 150
        ):
            return False
        self._standing.append(tight)
        self.placements.append(Placement(piece, where, yaw))
        return True

    def against_wall(self, make: Maker) -> Placement | None:
        """Put a new piece with its back to a wall; None if no place was found."""
        rng, walls = self.rng, self.plan.walls
        piece = make(rng)
        low, high = piece.bounds()
        half = (high[1] - low[1]) / 2 + 0.04
        lengths = np.array([wall.length for wall in walls])
        for _ in range(_TRIES):
            index = int(rng.choice(len(walls), p=lengths / lengths.sum()))
            wall = walls[index]
            if wall.length < 2 * half:
                continue
            # Half of the pieces stand in a corner, as in most rooms.
            ends = (half, wall.length - half)
            y = float(rng.choice(ends) if rng.uniform() < 0.5 else rng.uniform(*ends))
            gap = self._gap_to_wall(index, y - half, y + half, high[2])
            if gap is None:
                continue
            jitter = float(rng.normal(0, 0.015))
            out = gap - low[0] + abs(jitter) * half
            if self.stand(piece, wall.point(y, out), wall.heading + jitter):
                return self.placements[-1]
        return None

    def free_standing(self, make: Maker, gap: float = 0.5) -> Placement | None:
        """Put a new piece away from walls, mostly parallel to one; None if no place was found."""
        rng = self.rng
        piece = make(rng)
        for _ in range(_TRIES):
            position = rng.uniform((0, 0), self.plan.size)
            yaw = np.pi / 2 * rng.integers(4)
            yaw += rng.uniform(-np.pi, np.pi) if rng.uniform() < 0.25 else rng.normal(0, 0.06)
            if self.stand(piece, position, float(yaw), gap):
                return self.placements[-1]
        return None

    def next_to(
        self, anchor: Placement, piece: Piece, offset: tuple[float, float], turn: float
    ) -> bool:
        """Put a piece at ``offset`` in the frame of another, rotated by ``turn`` relative to it."""
        c, s = np.cos(anchor.yaw), np.sin(anchor.yaw)
        where = anchor.position[:2] + np.array([[c, -s], [s, c]]) @ np.asarray(offset)
        yaw = anchor.yaw + turn + float(self.rng.normal(0, 0.1))
        return self.stand(piece, where, yaw, gap=0.01)

    def hang_picture(self) -> None:
        """Hang a picture on a part of a wall without openings or tall pieces in front of it."""
        rng, walls = self.rng, self.plan.walls
        piece = picture(rng)
        low, high = piece.bounds()
        index = int(rng.integers(len(walls)))
        wall, z, half = walls[index], rng.uniform(1.45, 1.65), high[1] + 0.1
        if wall.length < 2 * half or z + high[2] > self.plan.height - 0.1:
            return
        y = rng.uniform(half, wall.length - half)
        spans = [(hole.low[0], hole.high[0]) for hole in self._openings if hole.wall == index]
        if any(y - half < b + 0.3 and a - 0.3 < y + half for a, b in spans):
            return
        # 0.4 m deep, to avoid taller pieces near the wall
        space = footprint((0, -half), (0.4, half), wall.point(y), wall.heading)
        for other in self.placements:
            lower, upper = other.piece.bounds()
            tall = upper[2] + other.position[2] > z + low[2] - 0.05
            if tall and overlap(space, footprint(lower, upper, other.position, other.yaw)):
                return
        self.placements.append(Placement(piece, np.append(wall.point(y), z), wall.heading))

    def hang_lamps(self) -> None:
        """Hang one lamp in the middle of each rectangle of the floor."""
        for x0, y0, x1, y1 in self.plan.rectangles:
            where = np.array([(x0 + x1) / 2, (y0 + y1) / 2, self.plan.height])
            piece = ceiling_lamp(self.rng, self.plan.height)
            self.placements.append(Placement(piece, where, 0.0))

    def _gap_to_wall(self, wall: int, low: float, high: float, height: float) -> float | None:
        """Return the gap behind a piece at low..high along a wall, metres; None if blocked."""
        gap = float(self.rng.uniform(0.02, 0.06))
        for hole in self._openings:
            if hole.wall == wall and low < hole.high[0] + 0.2 and hole.low[0] - 0.2 < high:
                if height > hole.low[1] - 0.04:
                    return None
                gap = max(gap, 0.16)  # room for curtains
        return gap


def furnish(plan: FloorPlan, openings: list[Opening], rng: np.random.Generator) -> list[Placement]:
    """Furnish a room of a random kind, then add small objects on and around the furniture.

    Args:
        plan: Ground plan of the room.
        openings: Doors and windows, which are kept free.
        rng: Source of randomness.
    """
    arranger = Arranger(plan, openings, rng)
    kinds: list[list[Callable[[Arranger], None]]] = [
        [_sleep, _store, _work, _store, _read, _lounge],
        [_lounge, _store, _read, _dine, _lounge, _read],
        [_work, _work, _read, _store, _work, _read, _dine],
        [_dine, _store, _lounge, _read, _work],
        [_sleep, _work, _lounge, _store, _dine, _read],
    ]
    steps = kinds[int(rng.integers(len(kinds)))]
    area = sum((x1 - x0) * (y1 - y0) for x0, y0, x1, y1 in plan.rectangles)
    for step in steps[: max(3, int(area / 4))]:
        step(arranger)
    for make in (bookcase, cabinet, desk, chair, lambda rng: cabinet(rng, "bedside"), chair):
        if len(arranger.placements) < 4:  # a cramped room: small pieces still fit
            arranger.against_wall(make)
    arranger.hang_lamps()
    small: list[Maker] = [
        waste_bin,
        lambda rng: carton(rng, rng.uniform(0.3, 0.6)),
        lambda rng: plant(rng, rng.uniform(0.6, 1.4)),
        lambda rng: lamp(rng, rng.uniform(1.3, 1.7)),
        ornament,
        lambda rng: sofa(rng, 1),
        chair,
    ]
    for choice in rng.integers(len(small), size=int(rng.integers(4, 9))):
        arranger.against_wall(small[choice])
    for _ in range(int(rng.integers(3, 8))):
        arranger.hang_picture()
    on_top = [item for placed in arranger.placements for item in laid_out(placed, rng)]
    return [*arranger.placements, *on_top]


def _sleep(room: Arranger) -> None:
    placed = room.against_wall(bed)
    if placed is None:
        return
    half = placed.piece.bounds()[1][1]
    for side in (-1, 1):
        if room.rng.uniform() < 0.7:
            piece = cabinet(room.rng, "bedside")
            low, high = piece.bounds()
            x = placed.piece.bounds()[0][0] + 0.03 - low[0]
            room.next_to(placed, piece, (x, side * (half + high[1] + 0.06)), 0.0)


def _store(room: Arranger) -> None:
    room.against_wall(cabinet)


def _read(room: Arranger) -> None:
    for _ in range(int(room.rng.integers(1, 3))):
        room.against_wall(bookcase)


def _work(room: Arranger) -> None:
    placed = room.against_wall(desk)
    if placed is not None:
        seat = chair(room.rng)
        x = placed.piece.bounds()[1][0] + seat.bounds()[1][0] + room.rng.uniform(0.05, 0.25)
        room.next_to(placed, seat, (x, room.rng.uniform(-0.15, 0.15)), np.pi)


def _lounge(room: Arranger) -> None:
    against = room.rng.uniform() < 0.75
    placed = room.against_wall(sofa) if against else room.free_standing(sofa)
    if placed is None:
        return
    low = table(room.rng, low=True)
    x = placed.piece.bounds()[1][0] + low.bounds()[1][0] + room.rng.uniform(0.25, 0.45)
    if room.next_to(placed, low, (x, 0.0), 0.0) and room.rng.uniform() < 0.6:
        armchair, side = sofa(room.rng, 1), float(room.rng.choice([-1, 1]))
        y = side * (low.bounds()[1][1] + armchair.bounds()[1][0] + 0.4)
        room.next_to(placed, armchair, (x, y), -side * np.pi / 2)


def _dine(room: Arranger) -> None:
    placed = room.free_standing(table) or room.against_wall(table)
    if placed is None:
        return
    high, model = placed.piece.bounds()[1], int(room.rng.integers(2**31))
    along = 2 if high[1] > 0.65 else 1
    spots = [(side, 0.0, y) for side in (-1, 1) for y in (np.arange(along) - (along - 1) / 2)]
    spots += [(0.0, side, 0.0) for side in (-1, 1)]
    for front, left, y in spots:
        seat = chair(np.random.default_rng(model))  # the chairs of a set are identical
        reach = seat.bounds()[1][0] + room.rng.uniform(0.03, 0.15)
        offset = (front * (high[0] + reach), left * (high[1] + reach) + y * 0.62)
        if room.rng.uniform() < 0.85:
            room.next_to(placed, seat, offset, float(np.arctan2(-left, -front)))
