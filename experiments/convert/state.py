"""Convert a state dict: a pure function from {name: array} to {name: array}."""

from collections import Counter
from fnmatch import fnmatchcase

from . import model
from .families import FAMILIES
from .recognise import recognise, shown
from .report import Report, grouped
from .rules import FORMATS
from .tensors import as_tensor

NO_OPTIONS = {"img_size": None, "window_size": None}


def convert_tensors(tensors, to, family=None, source=None, allow=(), options=None, with_arguments=False):
    """Return ({name: Tensor}, Report) of {name: Tensor or ndarray} in another format.

    to: one of FORMATS. family, source: insist on a family or on the format of the tensors.
    allow: names, or patterns with *, that may be left over; they are not written.
    options: {"img_size", "window_size"} where the tensors do not tell them.
    with_arguments: tell the model's arguments too, as Report.arguments, also if no buffer needs them.
    Raises ValueError/TypeError for what cannot be converted whole.
    """
    tensors = {name: as_tensor(name, value) for name, value in tensors.items()}
    if to not in FORMATS:
        raise ValueError(f"to is {to!r}, expected one of {', '.join(FORMATS)}")
    found = recognise(tensors, FAMILIES, to, family, source)
    if to not in found.family.formats:
        raise ValueError(
            f"to is {to!r}, expected one of {', '.join(found.family.formats)} for {found.family.name}"
        )
    if found.form == to:
        raise ValueError(f"is in {to}'s names already")
    whole = model.read(found, tensors)
    written = model.write(found.family, to, whole)
    unplaced = [name for key, new in written.items() if not new for name in found.pieces[key].values()]
    carried = found.left if found.family.carries else []
    left = unplaced + [name for name in found.left if name not in carried]
    _check_left(left, allow, found, to)
    report = Report(found.family.name, found.form, to)
    converted = {name: tensor for new in written.values() for name, tensor in new.items()}
    if with_arguments and "here" not in found.family.models:
        raise ValueError(
            f"here has the tables of {found.family.name}, no whole model: expected a name that ends in "
            ".safetensors"
        )
    if with_arguments or found.buffers or any(to in buffer.written for buffer in found.family.buffers):
        report.arguments = found.family.arguments(whole, NO_OPTIONS | (options or {}))
        report.assumed = report.arguments.assumed
        model.check_buffers(found, tensors, report.arguments)
        made = model.make_buffers(found, to, report.arguments, whole.code)
        report.made, report.dropped = grouped(made), grouped(found.buffers.values())
        converted |= made
    converted |= {name: tensors[name] for name in carried}
    report.mapped = _mapped(found, to, written)
    report.carried, report.left = grouped(carried), grouped(left)
    return converted, report


def _check_left(left, allow, found, to):
    refused = [name for name in left if not any(fnmatchcase(name, pattern) for pattern in allow)]
    if refused:
        raise ValueError(
            f"{len(refused)} left over of {found.family.name} from {found.form} to {to}: "
            f"{shown(refused)}; allow them by name to leave them out"
        )


def _mapped(found, to, written):
    """Return {(old names, new names): number of tensors of the model}."""
    family, depths = found.family, found.depths("i")
    numbers = sorted(number for (number, _), new in written.items() if new)
    return Counter(
        tuple(
            family.numbered(form, family.rules[n].stored[form].glob, depths) for form in (found.form, to)
        )
        for n in numbers
    )
