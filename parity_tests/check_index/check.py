"""The check itself: shape and dtype, other conventions, causes, and what follows from them."""

import math

import numpy as np

from numpy_ref.checks import as_sizes, check_choice, check_natural

from . import facts
from .causes import causes, opposite
from .conventions import CONVENTIONS, Linear, offsets_between
from .reading import read
from .report import Finding, Report, Tokens

MOST_PREFIX_TOKENS = 16  # that are proposed for an index with more tokens than the window


def check_index(index, window_size, num_prefix_tokens=0, convention="swin"):
    """Compare an index with the one it should be, and say what is wrong and how that came about.

    index: (L, L), or flat; for "decomposed" (axes, L, L); an array, nested lists or a CPU tensor.
    window_size: a size per axis, or an int for a sequence; the tokens are counted row by row.
    num_prefix_tokens: P, tokens before the window's (class token, registers): L = P + Π window_size.
    convention: a key of `CONVENTIONS`, what the index is meant to be.

    Returns a `Report`. A wrong index is a finding there; TypeError and ValueError are about the other
    arguments, and about an index that is no array.
    """
    window = as_sizes("window_size", window_size)
    prefix = check_natural(num_prefix_tokens=num_prefix_tokens)
    check_choice("convention", convention, CONVENTIONS)
    if CONVENTIONS[convention].one_axis and len(window) > 1:
        raise ValueError(f"window_size is {window}, expected one axis for the convention {convention!r}")
    array = _as_array(index)
    given = array.shape, window, prefix, convention
    rows, notes, findings = _as_rows(*_in_shape(array, window, prefix, CONVENTIONS[convention]))
    if rows is None:
        return Report(*given, tuple(findings), None, None, tuple(notes))
    tokens = Tokens(window, prefix)
    found, recognised, permutation = _compare(rows, array.dtype, convention, tokens)
    return Report(*given, (*findings, *found), recognised, permutation, tuple(notes))


def _as_array(index):
    """Return the index as an array; raises TypeError."""
    if isinstance(index, np.ma.MaskedArray):
        raise TypeError("index is a masked array, expected one without a mask")
    try:
        return np.asarray(index)
    except (ValueError, TypeError, RuntimeError) as error:  # uneven lists; a tensor with a gradient
        raise TypeError(f"index is no array: {error}") from None


def _in_shape(array, window, prefix, convention):
    """Return (array (planes, L, L) or None, notes, findings)."""
    cells = math.prod(window)
    length, axes = prefix + cells, len(window)
    expected = (axes, length, length) if convention.per_axis else (length, length)
    if array.shape == expected:
        return array.reshape(-1, length, length), [], []
    if array.shape == (length**2,) and not convention.per_axis:
        note = f"the index is flat, as torchvision keeps it; it is read as {expected}"
        return array.reshape(-1, length, length), [note], []
    text = f"the shape is {array.shape}, expected {expected}"
    if array.shape == (axes, length, length):
        text += "; the convention 'decomposed' has an index per axis"
    elif array.ndim == 2 and array.shape[0] == array.shape[1]:
        more, side = len(array) - cells, math.isqrt(max(len(array) - prefix, 0))
        if 0 <= more <= MOST_PREFIX_TOKENS:
            text += f"; num_prefix_tokens={more} would fit"
        if side > 0 and side**2 + prefix == len(array):
            text += f"; a window of ({side}, {side}) would fit"
    return None, [], [Finding("shape", text)]


def _as_rows(array, notes, findings):
    """Return the same with int64 rows, or with None and a finding if an int64 does not hold them."""
    if array is None or array.dtype.kind == "i":
        return None if array is None else array.astype(np.int64), notes, findings
    text = f"the dtype is {array.dtype}, expected integers"
    if array.dtype.kind not in "fu":
        return None, notes, [Finding("dtype", text)]
    wide = array.astype(np.float64)
    fits = (np.abs(wide) < 2.0**63) & (wide == np.rint(wide))
    if not fits.all():
        entry = tuple(np.argwhere(~fits)[0].tolist())
        at = ", ".join(map(str, entry[1:]))
        text += f" that an int64 holds; {facts.count(~fits, 'entry')} not: [{at}] is {array[entry]}"
        return None, notes, [Finding("dtype", text)]
    if array.dtype.kind == "f":
        findings = [Finding("dtype", f"{text}; all entries are whole numbers")]
    return array.astype(np.int64), notes, findings


def _compare(rows, dtype, convention, tokens):
    """Return (findings, the convention that the rows are exactly or None, permutation or None)."""
    planes = CONVENTIONS[convention].planes
    checked = [_check_plane(each, dtype, planes, n, tokens) for n, each in enumerate(rows)]
    permutations = tuple(permutation for _, permutation in checked)
    if not any(findings for findings, _ in checked):
        return [], convention, _joined(permutations)
    for name in CONVENTIONS:
        if name != convention and _is_exactly(rows, name, tokens):
            finding, permutation = _other_convention(rows, name, convention, tokens)
            return [finding], name, permutation
    if len(checked) == 1:
        return checked[0][0], None, permutations[0]
    return (
        [
            finding._replace(text=f"axis {axis}: {finding.text}")
            for axis, (findings, _) in enumerate(checked)
            for finding in findings
        ],
        None,
        _joined(permutations),
    )


def _joined(permutations):
    if any(permutation is None for permutation in permutations):
        return None
    return permutations if len(permutations) > 1 else permutations[0]


def _is_exactly(rows, name, tokens):
    """Return whether the rows are those of the convention, entry by entry."""
    convention, axes = CONVENTIONS[name], len(tokens.window)
    if len(rows) != (axes if convention.per_axis else 1) or (convention.one_axis and axes > 1):
        return False
    planes = convention.planes(tokens.window)
    return all((a == _right(a, plane, tokens)[0]).all() for a, plane in zip(rows, planes, strict=True))


def _right(found, plane, tokens):
    """Return (the right index (L, L), number of rows of its table).

    found: which prefix pairs read the same row there decides how many rows they have.
    """
    rows = plane.rows(offsets_between(tokens.places))
    if not tokens.num_prefix_tokens:
        return rows, plane.num_rows
    prefix_rows = facts.prefix_rows(found, tokens.num_prefix_tokens, plane.num_rows)
    whole = facts.with_prefix(rows, tokens.num_prefix_tokens, prefix_rows)
    return whole, plane.num_rows + len(set(prefix_rows))


def _other_convention(rows, name, convention, tokens):
    """Return (the Finding, permutation or None) of rows that are exactly another convention's."""
    (found,), other = rows, CONVENTIONS[name]
    plane = CONVENTIONS[convention].planes(tokens.window)[0]
    expected, num_rows = _right(found, plane, tokens)
    kind, text = "convention", f"it is {name!r}, {other.words}"
    if {name, convention} == {"swin", "maxvit"}:
        kind, text = "sign", f"{opposite(plane.strides)}: it is {name!r}"
    pairs = (tokens.first(found != expected, found, expected),)
    return Finding(kind, f"{text} ({other.users})", pairs), facts.renaming(found, expected, num_rows)


def _check_plane(found, dtype, planes, n, tokens):
    """Return (findings, permutation or None) of one index (L, L), the n-th of its convention."""
    p, findings = tokens.num_prefix_tokens, []
    if p and facts.prefix_is_last(found, p):
        text = "prefix tokens are last, expected first; the pairs of other findings count them first"
        findings.append(Finding("prefix_last", text))
        found = np.roll(found, (p, p), (0, 1))

    def plane_of(window, order=None):
        return planes(window, order)[n]

    expected, num_rows = _right(found, plane_of(tokens.window), tokens)
    wrong = found != expected
    permutation = facts.renaming(found, expected, num_rows)
    if not wrong.any():
        return findings, None if findings else permutation
    one_to_one = permutation is not None and len(np.unique(permutation)) == num_rows
    for kind, text, where in _made(found, expected, dtype, plane_of, tokens):
        pairs = (tokens.first(where, found, expected),)
        if kind == "strides":
            pairs = tokens.step_that_differs(found, expected)
        findings.append(Finding(kind, text, pairs))
    kinds = [finding.kind for finding in findings]
    if p and "transposed" not in kinds:
        findings += facts.wrong_prefix(found, expected, tokens)
    outside = facts.out_of_range(found, expected, num_rows, tokens)
    if not findings:
        text = "the right pairs share a row, but the rows have other numbers"
        if not one_to_one:
            text = f"{facts.count(wrong, 'pair')} wrong, and no construction tried here gives this index"
        pairs = (tokens.first(wrong, found, expected),)
        findings = [Finding("renamed" if one_to_one else "unexplained", text, pairs)]
    findings = [*findings, *outside, *facts.split_offsets(found, expected, tokens)]
    findings += facts.shared_rows(found, expected, tokens)
    findings += facts.never_read(found, num_rows, expected)
    usable = one_to_one and "prefix_last" not in kinds and (not outside or "larger_table" in kinds)
    return findings, permutation if usable else None


def _made(found, expected, dtype, plane_of, tokens):
    """Return [(kind, text, where)]: how the index was made, in so far as that is not right.

    where: (L, L), the pairs that show it.
    """
    p, wrong = tokens.num_prefix_tokens, found != expected
    with np.errstate(over="ignore"):
        if dtype.kind in "iu" and (found == expected.astype(dtype)).all():
            text = f"rows above {np.iinfo(dtype).max} have wrapped around: {dtype} does not hold them"
            return [("overflow", text, wrong)]
    plane, made = plane_of(tokens.window), []
    if (expected == found.T).all():
        strides = getattr(plane, "strides", (1,))
        made = [("sign", opposite(strides) + "; so is the transposed index", wrong)]
    elif isinstance(plane, Linear):
        found_causes, fits = _of_readings(found[p:, p:], plane_of, tokens.window)
        made = [(kind, text, wrong) for kind, text in found_causes]
        if not fits.all():
            text = f"{facts.count(~fits, 'entry')} not what the rest of the index says"
            made.append(("entries", text, np.pad(~fits, (p, 0))))
    everywhere = made and made[0][0] == "sign" and not made[0][1].startswith("along")
    if p and everywhere and facts.prefix_is_transposed(found, expected, p):
        text = "rows of the index are keys and columns queries, expected the reverse"
        made[0] = ("transposed", text, wrong)
    return made


def _of_readings(rows, plane_of, window):
    """Return ([(kind, text)], fits (L, L)): the causes, and the pairs that they explain.

    rows: between tokens of the window. Without any reading nothing is explained, and fits is all True.
    """
    distance = plane_of(window).distance
    reading, other = read(rows, window, distance), read(rows, window, not distance)
    if other and (reading is None or other.fits.sum() > reading.fits.sum()):
        found, right = ("offset", "|offset|") if distance else ("|offset|", "offset")
        text = f"the rows depend on {found}, expected {right}; on a grid of {other.grid} a step along "
        return [("distance", text + f"its axes moves the row by {other.strides}")], other.fits
    if reading is None:
        return [], np.ones(rows.shape, bool)
    return causes(reading, window, plane_of), reading.fits
