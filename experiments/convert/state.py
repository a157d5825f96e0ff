"""Convert a state dict: from {name: array} to {name: Tensor}, without files."""

from collections import Counter
from fnmatch import fnmatchcase

from . import model
from .config_beside import OPTIONS
from .families import FAMILIES
from .recognise import recognise, shown
from .report import Report, grouped
from .rules import FORMATS
from .tensors import as_tensor

NO_OPTIONS = dict.fromkeys(OPTIONS)


def convert_tensors(
    tensors,
    to,
    family=None,
    source=None,
    allow=(),
    options=None,
    with_arguments=False,
    verify=False,
):
    """Return ({name: Tensor}, Report) of {name: Tensor or ndarray} in another format.

    to: one of FORMATS. family, source: insist on a family or on the format of the tensors.
    allow: a name, or a pattern with *, or several, that may be left over; they are not written.
    options: {one of OPTIONS: value} where the tensors do not tell it: img_size and window_size as pairs,
        pretrained_window_sizes as a list, norm_eps, always_partition.
    with_arguments: tell the model's arguments too, as Report.arguments, also if no buffer needs them.
    verify: see `verify.verify`. Raises ValueError/TypeError for what cannot be converted whole.
    """
    tensors = {name: as_tensor(name, value) for name, value in tensors.items()}
    found = _recognised(tensors, to, family, source)
    _check_whole(found.family, with_arguments, verify)
    whole = model.read(found, tensors)
    written = model.write(found.family, to, whole)
    converted = {name: tensor for new in written.values() for name, tensor in new.items()}
    carried, left = _not_mapped(found, written)
    _check_left(left, allow, found, to)
    report = Report(found.family.name, found.form, to, _mapped(found, to, written))
    report.carried, report.left = grouped(carried), grouped(left)
    if with_arguments or verify or needs_arguments(found, to):
        report.arguments = found.family.arguments(whole, NO_OPTIONS | (options or {}))
        model.check_buffers(found, tensors, report.arguments)
        made = model.make_buffers(found, to, report.arguments, whole.code)
        report.made, report.dropped = grouped(made), grouped(found.buffers.values())
        converted |= made
    if verify:
        from .verify import verify as verified  # it imports torch and the libraries

        report.verified = verified(found, whole, to, report.arguments)
    return converted | {name: tensors[name] for name in carried}, report


def needs_arguments(found, to):
    """Return whether a buffer is to be checked or made."""
    return bool(found.buffers) or any(to in buffer.written for buffer in found.family.buffers)


def _recognised(tensors, to, family, source):
    """Return the Found; raises ValueError unless it can be converted to this format."""
    if to not in FORMATS:
        raise ValueError(f"to is {to!r}, expected one of {', '.join(FORMATS)}")
    found = recognise(tensors, FAMILIES, to, family, source)
    known = found.family
    if to not in known.formats:
        raise ValueError(f"to is {to!r}, expected {' or '.join(known.formats)} for {known.name}")
    if found.form == to and not found.missing():
        raise ValueError(f"has {to}'s names of {known.name} already")
    return found


def _check_whole(family, with_arguments, verify):
    """Raise ValueError if a family of tables is asked for what only whole models have."""
    if "here" in family.models:
        return
    if with_arguments:
        raise ValueError(
            f"here has the tables of {family.name} and no whole model: expected a name that ends in "
            ".safetensors instead of a folder"
        )
    if verify:
        raise ValueError(f"{family.name} cannot be verified: here has its tables and no whole model")


def _not_mapped(found, written):
    """Return (names that are kept as they are, names that the other format has no place for)."""
    unplaced = [name for key, new in written.items() if not new for name in found.pieces[key].values()]
    return (found.left, unplaced) if found.family.carries else ([], unplaced + found.left)


def _check_left(left, allow, found, to):
    allow = [allow] if isinstance(allow, str) else allow
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
