"""Real indices and masks for the cases of ops, in plain loops over positions: no copy of either twin.

With them the ops get an index as checkpoints have it. Offsets are query − key, positions row-major,
prefix tokens first. BEiT's three extra rows are the last of the table.
"""

import numpy as np


def window_index(q_grid, k_grid=None, prefix=0):
    """Return the index (P + Lq, P + Lk) of (Δy + kh − 1, Δx + kw − 1).

    The table has (qh + kh − 1) · (qw + kw − 1) rows, row-major. With a prefix three rows follow: prefix
    to token, token to prefix, prefix to prefix.
    """
    k_grid = k_grid or q_grid
    columns = q_grid[1] + k_grid[1] - 1
    rows = table_rows(q_grid, k_grid)
    queries, keys = _positions(q_grid), _positions(k_grid)
    index = np.empty((prefix + len(queries), prefix + len(keys)), np.int64)
    index[:prefix, prefix:], index[prefix:, :prefix], index[:prefix, :prefix] = rows, rows + 1, rows + 2
    for i, (qy, qx) in enumerate(queries):
        for j, (ky, kx) in enumerate(keys):
            down, right = qy - ky + k_grid[0] - 1, qx - kx + k_grid[1] - 1
            index[prefix + i, prefix + j] = down * columns + right
    return index


def table_rows(q_grid, k_grid=None, prefix=0):
    """Return the number of rows of the table that `window_index` refers to."""
    k_grid = k_grid or q_grid
    offsets = (q_grid[0] + k_grid[0] - 1) * (q_grid[1] + k_grid[1] - 1)
    return offsets + (3 if prefix else 0)


def sequence_index(q_len, k_len, q_offset, length):
    """Return the index (Lq, Lk) into the table of a sequence of `length`: 2 · length − 1 rows."""
    return _filled(q_len, k_len, lambda i, j: i + q_offset - j + length - 1)


def bucket_index(length, num_buckets, max_distance, bidirectional):
    """Return T5's index (L, L) of buckets; they grow from half those of a side on (arXiv 1910.10683)."""
    side = num_buckets // 2 if bidirectional else num_buckets
    exact = side // 2

    def bucket(distance):
        far = exact
        while far < side - 1 and _edge(far + 1 - exact) <= distance**exact:
            far += 1
        return distance if distance < exact else far

    def _edge(step):  # to the power of `exact`, so that it is a whole number
        return max_distance**step * exact ** (exact - step)

    def row(i, j):
        if bidirectional:
            return bucket(i - j) if i >= j else side + bucket(j - i)
        return bucket(max(i - j, 0))

    return _filled(length, length, row)


def video_index(window):
    """Return the index (L, L) of a window (time, height, width), row-major over the offsets."""
    cells = [(t, y, x) for t in range(window[0]) for y in range(window[1]) for x in range(window[2])]
    numbers, number = {}, 0
    for t in range(1 - window[0], window[0]):
        for y in range(1 - window[1], window[1]):
            for x in range(1 - window[2], window[2]):
                numbers[t, y, x], number = number, number + 1

    def row(i, j):
        return numbers[tuple(a - b for a, b in zip(cells[i], cells[j], strict=True))]

    return _filled(len(cells), len(cells), row)


def strided_index(grid, stride):
    """Return LeViT's index (Lq, Lk) of absolute offsets; every stride-th cell is a query."""
    keys = _positions(grid)
    queries = [(y, x) for y, x in keys if y % stride == x % stride == 0]

    def row(i, j):
        (y, x), (down, right) = queries[i], keys[j]
        return abs(y - down) * grid[1] + abs(x - right)

    return _filled(len(queries), len(keys), row)


def _filled(q_len, k_len, row):
    return np.array([[row(i, j) for j in range(k_len)] for i in range(q_len)])


def shift_mask(image, window, shift):
    """Return Swin's additive mask (nW, 1, L, L) for an image (H, W) in windows, rolled by −shift.

    The mask is −100 between tokens of a window that the roll brought together across the image's
    border. Source: arXiv 2103.14030, figure 4.
    """
    masks = []
    for top in range(0, image[0], window[0]):
        for left in range(0, image[1], window[1]):
            came_from = [
                tuple((at + by) // size for at, by, size in zip(place, shift, image, strict=True))
                for place in ((top + y, left + x) for y, x in _positions(window))
            ]
            masks.append([[0.0 if a == b else -100.0 for b in came_from] for a in came_from])
    return np.array(masks)[:, None]


def _positions(grid):
    return [(y, x) for y in range(grid[0]) for x in range(grid[1])]
