"""The mask of shifted windows in NumPy: rpb-check mykernel.py:shift --kind shift"""

import numpy as np


def shift(size, window_size, shift_size=(0, 0)):
    """Return (nW, wh·ww, wh·ww) of 0 and −100. Put your code here.

    Two tokens of a window see each other if along each axis the roll brought both or neither there.
    """
    (height, width), (wh, ww) = size, window_size
    rows, columns = -(-height // wh), -(-width // ww)  # windows along each axis
    down, right = shift_size[0] * (rows > 1), shift_size[1] * (columns > 1)
    y, x = np.indices((rows * wh, columns * ww))  # of each token of the padded, rolled map
    label = 2 * (y >= rows * wh - down) + (x >= columns * ww - right)
    label = label.reshape(rows, wh, columns, ww).swapaxes(1, 2).reshape(-1, wh * ww)
    return np.where(label[:, :, None] == label[:, None], 0.0, -100.0).astype(np.float32)
