"""Groups of equal and of look-alike pictures, without comparing every picture with every other.

Candidates: two 64-bit hashes that differ in at most 7 bits have one of their four 16-bit parts equal up to one bit
(pigeonhole), so each picture is compared only with those whose part is equal or differs in one bit: the multi-index of
M. Norouzi, A. Punjani and D. Fleet, Fast Exact Search in Hamming Space with Multi-Index Hashing, 2014.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

Places = NDArray[np.int64]

ALIKE = 0.99
"""The least correlation of two sketches that makes their pictures look-alikes."""

_DISTANCE = 7
_PARTS, _BITS = 4, 16
_NEIGHBOURS = 64  # of a picture in one bucket: thousands of pictures with one hash must not become millions of pairs
_BLOCK = 16_384


def equal_groups(digests: NDArray[np.uint64], among: Places) -> list[Places]:
    """Places of pictures with equal digests, two or more in a group; groups and places ascend.

    Args:
        digests: uint64 [n, 2].
        among: the places that are looked at.
    """
    if not len(among):
        return []
    _, labels = np.unique(digests[among], axis=0, return_inverse=True)
    return _groups(labels.reshape(-1), among)


def alike_groups(
    hashes: NDArray[np.uint64], sketches: NDArray[np.uint8], among: Places, alike: float = ALIKE
) -> list[Places]:
    """Places of pictures that look alike, two or more in a group; groups and places ascend.

    A group is what a chain of look-alikes connects: its first and its last picture may be less alike.

    Args:
        hashes: uint64 [n]; sketches: uint8 [n, 256], as `Fingerprint` has them.
        among: the places that are looked at.
        alike: the least correlation of two sketches, 0 to 1.
    """
    labels = np.arange(len(among), dtype=np.int64)
    for first, second in _candidates(hashes[among]):
        for start in range(0, len(first), _BLOCK):
            a, b = first[start : start + _BLOCK], second[start : start + _BLOCK]
            apart = labels[a] != labels[b]  # Of a thousand copies most pairs are joined already.
            a, b = a[apart], b[apart]
            same = _correlation(sketches[among[a]], sketches[among[b]]) >= alike
            labels = _joined(labels, a[same], b[same])
    return _groups(labels, among)


def _candidates(hashes: NDArray[np.uint64]) -> Iterator[tuple[Places, Places]]:
    """Pairs of places whose hashes differ in at most `_DISTANCE` bits; a pair may come more than once."""
    for part in range(_PARTS):
        keys = ((hashes >> np.uint64(part * _BITS)) & np.uint64(2**_BITS - 1)).astype(np.int64)
        order = np.lexsort((hashes, keys))
        keys, ordered = keys[order], hashes[order]
        bounds = np.searchsorted(keys, np.arange(2**_BITS + 1))
        for flip in (0, *(1 << bit for bit in range(_BITS))):
            # Of two buckets that differ in one bit, the pictures of the one without it ask the other's.
            asking = np.flatnonzero(keys & flip == 0)
            low = bounds[keys[asking] ^ flip] if flip else asking + 1
            high = np.minimum(bounds[(keys[asking] ^ flip) + 1], low + _NEIGHBOURS)
            for first, second in _spans(asking, low, high):
                close = np.bitwise_count(ordered[first] ^ ordered[second]) <= _DISTANCE
                yield order[first[close]], order[second[close]]


def _spans(asking: Places, low: Places, high: Places) -> Iterator[tuple[Places, Places]]:
    """Every place of `asking` with each of low..high-1, in blocks of bounded size."""
    counts = high - low
    step = max(1, 64 * _BLOCK // _NEIGHBOURS)
    busy = np.flatnonzero(counts)
    for start in range(0, len(busy), step):
        rows = busy[start : start + step]
        many = counts[rows]
        ends = np.cumsum(many)
        within = np.arange(ends[-1]) - np.repeat(ends - many, many)
        yield np.repeat(asking[rows], many), np.repeat(low[rows], many) + within


def _correlation(first: NDArray[np.uint8], second: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Pearson's, row by row, -1 to 1."""
    a, b = (each.astype(np.float32) for each in (first, second))
    a -= a.mean(axis=1, keepdims=True)
    b -= b.mean(axis=1, keepdims=True)
    lengths = np.sqrt((a * a).sum(axis=1) * (b * b).sum(axis=1))
    similar: NDArray[np.float32] = (a * b).sum(axis=1) / np.maximum(lengths, 1e-6)
    return similar


def _joined(labels: Places, first: Places, second: Places) -> Places:
    """The labels after the groups of each pair became one: the least label of a group wins."""
    while (apart := labels[first] != labels[second]).any():
        first, second = first[apart], second[apart]
        a, b = labels[first], labels[second]
        least = np.minimum(a, b)
        np.minimum.at(labels, a, least)
        np.minimum.at(labels, b, least)
        while not np.array_equal(shorter := labels[labels], labels):
            labels = shorter
    return labels


def _groups(labels: Places, among: Places) -> list[Places]:
    order = np.argsort(labels, kind="stable")
    cuts = np.flatnonzero(np.diff(labels[order])) + 1
    groups = (np.sort(among[group]) for group in np.split(order, cuts))
    return sorted((group for group in groups if len(group) > 1), key=lambda group: int(group[0]))
