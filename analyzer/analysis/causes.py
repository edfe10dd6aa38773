"""The likely cause of every ending, and what happened to many at once: patterns applied to whole columns."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from analyzer.analysis.facts import SECOND, Facts, tolerance
from analyzer.analysis.patterns import PATTERNS, Confidence
from dissectors.schemas import NO_TIME
from dissectors.tables import Array

Columns = Mapping[str, Array]
TOGETHER, SAME_IDLE = 1, 2
"""Codes of `schemas.INCIDENT_KINDS`."""
GAP = 300_000_000
"""ns. Endings that follow one another within it may be one burst."""
LONGEST = 5 * SECOND
FEWEST = 3
SHARE, SHARE_OF_FEW, FEW = 0.3, 0.5, 10
"""Of the connections to a server that stood when the burst began, so many ended in it; of fewer than `FEW`, half."""
UNUSUAL = 10
"""Times as many as end at that server in such a time on average: a busy one that loses some every second has no
bursts, nor has one whose last connections trickle away."""
SAME_SHARE = 0.5
"""Of the endings without a Close at a server, so many came after the same silence."""


def judge(facts: Facts, eligible: Array) -> dict[str, Array]:
    """Cause, confidence and all patterns that hold, for those that may have a cause."""
    cause = np.zeros(facts.count, np.uint8)
    confidence = np.zeros(facts.count, np.uint8)
    held = np.zeros(facts.count, np.uint64)
    for pattern in PATTERNS:
        holds = pattern.when.holds(facts) & eligible
        if not holds.any():
            continue
        sure = np.full(facts.count, int(pattern.confidence), np.uint8)
        if pattern.surer is not None:
            sure += pattern.surer.holds(facts) & (pattern.confidence < Confidence.HIGH)
        held |= np.where(holds, np.uint64(1 << pattern.number), np.uint64(0))
        better = holds & (sure > confidence)
        cause[better] = pattern.number
        confidence[better] = sure[better]
    return {"cause": cause, "confidence": confidence, "patterns": held}


def incidents(server: Array, port: Array, facts: Facts, opened: Array, eligible: Array) -> dict[str, Array]:
    """The rows of INCIDENTS, and for each connection the one that it belongs to (`of`, -1 for none) with its counts
    (`together`, `same_idle`)."""
    place = np.unique(server.astype(np.int64) << 16 | port, return_inverse=True)[1]
    of = np.full(facts.count, -1, np.int64)
    parts: list[tuple[int, ...]] = []
    for kind, find in ((TOGETHER, _bursts), (SAME_IDLE, _same_idle)):
        groups = find(place, facts, opened, eligible & (of < 0))
        for rows, before in groups:
            of[rows] = len(parts)
            sign = facts["sign"][rows]
            idle = facts["silence"][rows]
            parts.append(
                (kind, server[rows[0]], port[rows[0]], len(rows), before, facts["end_by"][rows[0]],
                 facts["end"][rows[0]], facts["code"][rows[0]], int(np.median(idle)),
                 int(idle.max() - idle.min()), sign.min(), sign.max())
            )  # fmt: skip
    rows = np.array(parts, np.int64).reshape(-1, len(NAMES)).T
    found = dict(zip(NAMES, rows, strict=True))
    kinds, counts = np.append(found["kind"], 0)[of], np.append(found["count"], 0)[of]
    found["of"] = of
    found["together"] = np.where(kinds == TOGETHER, counts, 0)
    found["same_idle"] = np.where(kinds == SAME_IDLE, counts, 0)
    return found


def common_causes(of: Array, closes: Columns, count: int) -> dict[str, Array]:
    """The most frequent cause of each incident's connections, with its confidence."""
    cause, confidence = np.zeros(count, np.uint8), np.zeros(count, np.uint8)
    order = np.argsort(of, kind="stable")
    edges = np.searchsorted(of[order], np.arange(count + 1))
    for row in range(count):
        mine = order[edges[row] : edges[row + 1]]
        cause[row] = np.bincount(closes["cause"][mine]).argmax()
        confidence[row] = closes["confidence"][mine][closes["cause"][mine] == cause[row]].max()
    return {"cause": cause, "confidence": confidence}


NAMES = ("kind", "server_address", "server_port", "count", "stood", "ended_by", "end", "code", "idle", "spread",
         "first_time", "last_time")  # fmt: skip


def _bursts(place: Array, facts: Facts, opened: Array, eligible: Array) -> list[tuple[Array, int]]:
    """Connections to one server that ended in the same manner within moments, most of those that stood."""
    manner = np.where(facts["bare"] == 1, facts["end_by"] + 1, 4 * (facts["code"] + 2) + facts["close_by"])
    sign = facts["sign"]
    ready = np.flatnonzero(eligible & (sign != NO_TIME) & (opened != NO_TIME))
    order = ready[np.lexsort((sign[ready], manner[ready], place[ready]))]
    runs = _runs(order, (place, manner), sign, GAP)
    stops, stop_edges = _by_place(place, sign, ready)
    starts, start_edges = _by_place(place, opened, np.flatnonzero(opened != NO_TIME))
    found = []
    for run in runs:
        spot, start = int(place[run[0]]), sign[run[0]]
        ends = stops[stop_edges[spot] : stop_edges[spot + 1]]
        begins = starts[start_edges[spot] : start_edges[spot + 1]]
        stood = int(np.searchsorted(begins, start) - np.searchsorted(ends, start))
        lived_apart = np.ptp(opened[run]) > 2 * np.ptp(sign[run])
        share = SHARE if len(run) >= FEW else SHARE_OF_FEW
        usual = len(ends) * np.ptp(sign[run]) / max(int(ends[-1] - begins[0]), 1)
        if lived_apart and np.ptp(sign[run]) <= LONGEST and len(run) >= max(share * stood, UNUSUAL * usual):
            found.append((run, stood))
    return found


def _by_place(place: Array, values: Array, rows: Array) -> tuple[Array, Array]:
    """Values of some rows, in order for each place, and where each place's begin."""
    order = rows[np.lexsort((values[rows], place[rows]))]
    edges = np.searchsorted(place[order], np.arange(int(place.max(initial=-1)) + 2))
    return values[order], edges


def _same_idle(place: Array, facts: Facts, opened: Array, eligible: Array) -> list[tuple[Array, int]]:
    """Connections to one server that ended without a Close after the same silence, at different times."""
    silence, ender = facts["silence"], facts["end_by"]
    ready = np.flatnonzero(eligible & (facts["bare"] == 1) & (silence >= SECOND))
    order = ready[np.lexsort((silence[ready], ender[ready], place[ready]))]
    bare = np.bincount(place[ready], minlength=int(place.max(initial=0)) + 1)
    found = []
    for run in _runs(order, (place, ender), silence, SECOND // 10):
        narrow = np.ptp(silence[run]) <= tolerance(int(silence[run].min()))
        apart = np.ptp(facts["sign"][run]) > GAP
        if narrow and apart and len(run) >= SAME_SHARE * bare[place[run[0]]]:
            found.append((run, int(bare[place[run[0]]])))
    return found


def _runs(order: Array, keys: tuple[Array, ...], values: Array, gap: int) -> list[Array]:
    """Runs of `FEWEST` rows or more with equal keys whose values follow one another within `gap`."""
    if len(order) < FEWEST:
        return []
    cut = np.diff(values[order]) > gap
    for key in keys:
        cut |= np.diff(key[order]) != 0
    edges = np.concatenate([[0], np.flatnonzero(cut) + 1, [len(order)]])
    long = np.flatnonzero(np.diff(edges) >= FEWEST)
    return [order[edges[at] : edges[at + 1]] for at in long.tolist()]
