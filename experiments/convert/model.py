"""Read the whole tensors of a model from one format, and write them in another."""

from collections import Counter
from dataclasses import dataclass

import numpy as np

from .sizes import Sizes, text
from .tensors import join, like, numbers, split

SLACK = 4  # units in the last place that coordinates may differ by: logarithms are rounded variously


@dataclass
class Model:
    """The tensors of a model, whatever format they come from.

    tensors, buffers: {(rule or buffer, at): Tensor}, see Found. depths: the blocks of each stage.
    """

    family: object
    tensors: dict
    buffers: dict
    sizes: Sizes
    depths: list

    @property
    def code(self):
        """The dtype of most tensors."""
        return Counter(tensor.code for tensor in self.tensors.values()).most_common(1)[0][0]

    def ratio(self, hidden, channels):
        """Return hidden / channels such that int(ratio · channels) is hidden."""
        ratio = hidden / channels
        return ratio if int(ratio * channels) == hidden else float(np.nextafter(ratio, np.inf))

    def has(self, name):
        """Return whether a tensor's name here has these parts, as "attn.rel_pos"."""
        return any(
            piece and f".{name}." in f".{piece.text}."
            for number, _ in self.tensors
            for piece in self.family.rules[number].stored["here"].pieces
        )


def read(found, tensors):
    """Return the Model in {name: Tensor}; raises ValueError for missing tensors and wrong shapes."""
    sizes, wholes = Sizes(), {}
    missing = found.missing()
    incomplete = {(id(rule), at) for rule, at, _ in missing}
    for (number, at), names in found.pieces.items():
        rule = found.family.rules[number]
        if (id(rule), at) not in incomplete:
            whole = _whole(rule.stored[found.form], names, tensors)
            sizes.bind(" + ".join(names.values()), whole.shape, rule.shape, at)
            wholes[number, at] = whole
    if missing:
        raise ValueError(_missing(found, missing, sizes))
    for (number, at), name in found.buffers.items():
        sizes.bind(name, tensors[name].shape, found.family.buffers[number].shape, at)
    buffers = {key: tensors[name] for key, name in found.buffers.items()}
    return Model(found.family, wholes, buffers, sizes, found.depths("i"))


def write(family, form, model):
    """Return {(rule, at): {name: Tensor}} of the model in a format, {} for what the format lacks.

    Raises ValueError if the format leaves out a piece that is not zero.
    """
    written = {}
    for (number, at), whole in model.tensors.items():
        pieces = _write_whole(family.rules[number].stored.get(form), at, whole, form)
        written[number, at] = {
            family.numbered(form, name, model.depths): piece for name, piece in pieces.items()
        }
    return written


def _write_whole(stored, at, whole, form):
    if stored is None:
        return {}
    if stored.transform:
        whole = whole.with_array(stored.transform.write(whole.array))
    pieces = split(whole, len(stored.pieces))
    names = [pattern and pattern.fill(at) for pattern in stored.pieces]
    for name, piece in zip(names, pieces, strict=True):
        if not name and piece.array.any():
            beside = " and ".join(filter(None, names))
            raise ValueError(
                f"what {form} does not store beside {beside} is up to "
                f"{np.abs(numbers(piece)).max():.3g}, expected zeros"
            )
    return {name: piece for name, piece in zip(names, pieces, strict=True) if name}


def check_buffers(found, tensors, arguments):
    """Raise ValueError unless every index, mask and table of coordinates is what this model has."""
    for (number, at), name in found.buffers.items():
        made = found.family.buffers[number].make(arguments, at)
        if made is None:
            raise ValueError(f"{name} is not expected: {found.family.name} has none in that layer")
        if tensors[name].shape != made.shape:
            raise ValueError(f"{name} has shape {tensors[name].shape}, expected {made.shape}")
        if not _same(tensors[name], made):
            places = np.argwhere(numbers(tensors[name]) != made)
            first = tuple(map(int, places[0]))
            raise ValueError(
                f"{name} is not the one of {found.family.name}: at {first} it has "
                f"{numbers(tensors[name])[first]}, expected {made[first]}"
            )


def make_buffers(found, form, arguments, code):
    """Return {name: Tensor} of the buffers that a format's models ask for; code: the dtype of floats."""
    made = {}
    for buffer in found.family.buffers:
        for at in found.places(buffer) if form in buffer.written else ():
            array = buffer.make(arguments, at)
            if array is not None:
                name = found.family.numbered(form, buffer.names[form].fill(at), found.depths("i"))
                made[name] = like(code, array)
    return made


def _whole(stored, names, tensors):
    pieces = [tensors[names[k]] if pattern else None for k, pattern in enumerate(stored.pieces)]
    whole = join([names[k] for k in sorted(names)], pieces)
    return whole.with_array(stored.transform.read(whole.array)) if stored.transform else whole


def _missing(found, missing, sizes):
    rule, at, piece = missing[0]
    pieces = rule.stored[found.form].pieces
    name = found.family.numbered(found.form, pieces[piece].fill(at), found.depths("i"))
    shape, _ = sizes.expected(rule.shape, at)
    whole = "" if len(pieces) == 1 else "a piece of one "
    more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
    return (
        f"{name}{more} missing: expected {whole}of shape {text(shape)}, "
        f"as the other names are those of {found.family.name} in {found.form}"
    )


def _same(tensor, made):
    found = numbers(tensor)
    if made.dtype.kind in "iu":
        return np.array_equal(found, made)
    step = {"BF16": 2.0**-8, "F16": 2.0**-10}.get(tensor.code, 2.0**-23)
    return np.allclose(found, made, rtol=SLACK * step, atol=0)
