"""Draw Swin's shifted windows and their mask, with NumPy alone.

    python -m examples.shifted_windows [--out docs/pictures]

The map has 8×8 tokens in windows of 4×4, shifted by 2. All that is drawn comes from the ops:
`window_partition_forward`, `window_reverse_forward` and `window_mask`.
"""

import argparse
from pathlib import Path

import numpy as np

from experiments import plots
from experiments.pictures import write_picture
from numpy_ref.ops import window_mask, window_partition_forward, window_reverse_forward

SIZE, WINDOW, SHIFT = 8, 4, 2


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("docs/pictures"), help="folder of the picture")
    out = parser.parse_args(argv).out
    out.mkdir(parents=True, exist_ok=True)
    print(write_picture(figure(), out / "shifted_windows.png"))


def figure():
    numbers = np.arange(SIZE * SIZE, dtype=float).reshape(1, SIZE, SIZE, 1)
    rows, columns = np.indices((SIZE, SIZE))
    carried = 2.0 * (rows < SHIFT) + (columns < SHIFT)  # what the shift carries to the other side
    tokens, regions = (shifted(x) for x in (numbers, carried[None, :, :, None]))
    mask = window_mask((SIZE, SIZE), WINDOW, SHIFT)
    return plots.shifted_windows(tokens, regions, mask[:, 0], WINDOW)


def shifted(x):
    """Return the map (n, n) after the shift: cut into shifted windows, put together without a shift."""
    windows, _ = window_partition_forward(x, WINDOW, SHIFT)
    out, _ = window_reverse_forward(windows, (SIZE, SIZE), WINDOW)
    return out[0, :, :, 0].astype(int)


if __name__ == "__main__":
    main()
