"""The mask of shifted windows in PyTorch: rpb-check mykernel.py:shift --kind shift"""

import torch


def shift(size, window_size, shift_size=(0, 0)):
    """Return (nW, wh·ww, wh·ww) of 0 and −100. Put your code here.

    Two tokens of a window see each other if along each axis the roll brought both or neither there.
    """
    (height, width), (wh, ww) = size, window_size
    rows, columns = -(-height // wh), -(-width // ww)  # windows along each axis
    label = torch.zeros(rows * wh, columns * ww)  # of each token of the padded, rolled map
    if rows > 1:
        label[rows * wh - shift_size[0] :] += 2
    if columns > 1:
        label[:, columns * ww - shift_size[1] :] += 1
    label = label.reshape(rows, wh, columns, ww).transpose(1, 2).reshape(-1, wh * ww)
    return -100.0 * (label[:, :, None] != label[:, None])
