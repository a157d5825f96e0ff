"""Hypothesis strategies of calls: valid by the table of specs, then up to two arguments made odd."""

import re

from hypothesis import strategies as st

from .call import Call
from .specs import FUNCTIONS, MODULES, OPS, TRAINERS, Fixed, Option

SIZES = st.sampled_from((1, 2, 3, 4, 5, 1, 2, 3, 7, 16, 33, 65, 0))
LENGTHS = st.sampled_from((1, 2, 3, 4, 5, 1, 2, 3, 7, 16, 33, 65, 0) * 3 + (300,))
LAYOUTS = ("fortran", "strided", "backwards", "misaligned", "readonly", "mapped", "byteswapped")
FORMS = ("subclass", "matrix", "as_list", "masked", "stretched", "other_twin")
FORMS += ("without_axis", "with_axis")
ALONG = ("longer", "shorter", "emptied")
DTYPES = ("float16", "float32", "float64", "longdouble", "int64", "uint8", "bool", "complex64", "object")
FAMILIES = ("layout", "form", "along", "dtype", "entry", "instead")
INTEGERS = ("int8", "int16", "int32", "uint8", "uint16", "uint32", "uint64")
ENTRIES = ("np.nan", "np.inf", "-np.inf", "1e30", "1e-40", "-0.0")
PLACES = ("-1", "127", "2**31", "2**62", "-(2**62)")
INSTEAD = ("None", "1.0", "'x'", "{}", "()", "object()", "np.array(1.0)", "[[1.0, 2.0]]")
NUMBERS = ("-1", "0", "1", "2", "-1.0", "0.5", "2.5", "1e30", "float('nan')", "float('inf')", "2**31")
NUMBERS += ("2**62", "10**30", "-(10**30)", "True", "1j", "np.float64('nan')", "np.array(3)")
ODD = ("None", "'x'", "b'x'", "()", "[]", "{}", "object()", "int")
ODD += ("[3, 4]", "(2, 3, 4)", "np.array([2, 3])")
OTHER_CACHES = ("gelu_cache", "linear_cache", "norm_cache", "attention_cache")
CONTAINERS = {
    "cache": ("None", "()", "[]", "'x'", "list(cache)", "(cache,)", "cache[::-1]", *OTHER_CACHES),
    "arrays": ("None", "{}", "[]"),
    "progress": ("None", "{}", "[]"),
}
CHANGES = (
    "lambda a: cast(a, 'float16')",
    "lambda a: cast(a, 'float32')",
    "lambda a: cast(a, 'float64')",
    "lambda a: cast(a, 'int8')",
    "lambda a: emptied(a, 0)",
    "lambda a: shorter(a, -1)",
    "lambda a: shorter(a, 0)",
    "lambda a: with_axis(a)",
    "lambda a: backwards(a)",
    "lambda a: strided(a)",
    "lambda a: byteswapped(a)",
    "lambda a: with_entry(a, 2**62 if a.dtype.kind in 'iu' else np.nan)",
    "lambda a: with_entry(a, 99)",
    "lambda a: None",
    "lambda a: as_list(a)",
    "lambda a: 'x'",
)
PAIRS = (("table", "index"), ("value_embedding", "value_index"))
HUGE = {"depth", "num_layers"}  # a huge one builds modules for minutes until the memory is full

# Most faults are likely in the ops, above all in attention, but the table of cases has more modules than
# ops; so ops are repeated. Hypothesis prefers early entries.
OFTEN = (*OPS[:1] * 16, *OPS * 6, *MODULES, *TRAINERS * 3, *FUNCTIONS * 3)


@st.composite
def calls(draw, targets=OFTEN):
    """Draw a (Target, Call)."""
    target = draw(st.sampled_from(targets))
    sizes, dtype = _Sizes(draw), draw(st.sampled_from(("float64", "float64", "float32")))
    steps, places = [], []
    for name, specs in target.steps:
        given = {}
        for argument, spec in specs.items():
            if isinstance(spec, dict):
                given[argument] = {n: _valid(draw, s, sizes, dtype) for n, s in spec.items()}
                places += [(given[argument], n, s) for n, s in spec.items()]
                continue
            text = _valid(draw, spec, sizes, dtype)
            if text is not None:
                given[argument] = text
                places.append((given, argument, spec))
        steps.append((name, given))
    left_out = _incomplete(target, steps[0][1])
    places = [place for place in places if not (place[0] is steps[0][1] and place[1] in left_out)]
    for argument in left_out:
        del steps[0][1][argument]
    spoilt = ["sizes:0"] if 0 in sizes.known.values() else []
    unready = target.kind == "module" and steps[-1][0] == "backward" and draw(st.integers(0, 15)) == 0
    if unready:
        spoilt.append(_unready(draw, steps))
    times = 0 if unready else draw(st.sampled_from((0, 1, 1, 1, 1, 2)))
    for _ in range(min(times, len(places))):
        given, argument, spec = places.pop(draw(st.integers(0, len(places) - 1)))
        how, given[argument] = _spoil(draw, argument, spec, given[argument])
        spoilt.append(f"{argument}:{how}")
    steps = tuple((name, {a: _text(v) for a, v in given.items()}) for name, given in steps)
    return target, Call(steps, tuple(spoilt))


def _unready(draw, steps):
    """Change `steps` so that a backward has no forward; return how."""
    if draw(st.booleans()):
        steps.append(steps[-1])
        return "backward:twice"
    steps[1:] = [("backward", {"dout": "normal((2, 3), 'float64', 0)"})]
    return "backward:alone"


class _Sizes:
    """The size of each letter in the specs, drawn at its first use."""

    def __init__(self, draw):
        self.draw, self.known, self.form = draw, {}, draw(st.integers(0, 5))

    def __getitem__(self, letter):
        if letter.isdigit():
            return int(letter)
        if letter == "B" and "B" not in self.known:  # a multiple of the windows of a mask
            self.known["B"] = self["W"] * self.draw(st.sampled_from((1, 1, 2)))
        if letter not in self.known:
            size = self.draw(LENGTHS if letter in "LM" else SIZES)
            self.known[letter] = min(size, 3) if letter in "BHW" else size
        return self.known[letter]


def _valid(draw, spec, sizes, dtype):
    """Draw the text of a valid argument, or None to leave an optional one out."""
    if isinstance(spec, Option):
        return draw(st.sampled_from(spec.valid))
    if isinstance(spec, Fixed):
        high = "" if spec.high is None else f", {spec.high}"
        kind = f", {dtype!r}" if spec.high is None else ""
        return f"{spec.maker}({spec.shape}{high}{kind})"
    if spec in ("dout", *CONTAINERS):
        return spec
    if spec == "pair":
        return "(dout[0], dout[1])"
    if spec == "dtype":  # of the module, as of the arrays
        return repr(dtype)
    if spec.startswith("?") and draw(st.booleans()):
        return None
    forms = spec.lstrip("?").split("/")
    axes, _, high = draw(st.sampled_from(forms[sizes.form % len(forms)].split("|"))).partition(" < ")
    shape, seed = tuple(sizes[letter] for letter in axes.split()), draw(st.integers(0, 9))
    if high:
        return f"integers({shape}, {sizes[high]}, 'int64', {seed})"
    return f"normal({shape}, {dtype!r}, {seed})"


def _spoil(draw, argument, spec, text):
    """Make an argument odd; return (how, its new text)."""
    one = lambda *groups: draw(st.sampled_from([item for group in groups for item in group]))  # noqa: E731
    if spec in CONTAINERS:
        how, n = one(CONTAINERS[spec], ("replaced", "without") * 4), draw(st.integers(0, 30))
        if how == "replaced":
            change = f"lambda a: {one(NUMBERS, ODD)}" if spec == "progress" else one(CHANGES)
            return f"replaced {change[10:]}", f"replaced({text}, {n}, {change})"
        return how, f"without({text}, {n})" if how == "without" else how
    if isinstance(spec, Option) or spec == "dtype":
        return _spoil_option(one, argument, text)
    if spec == "pair":
        part = one(("dout[0]", "dout[1]"))
        how, odd = _spoil(draw, argument, "dout", part)
        return how, text.replace(part, odd)
    return _spoil_array(draw, one, text)


def _spoil_array(draw, one, text):
    integer = text.startswith("integers")
    family = one(FAMILIES, ("narrowed" if integer else "dtype",))
    if family in ("layout", "form"):
        how = one(LAYOUTS if family == "layout" else FORMS)
        return how, f"{how}({text})"
    if family == "along":
        how = one(ALONG)
        return how, f"{how}({text}, {_axis(draw, text)})"
    if family == "instead":
        how = one(INSTEAD)
        return how, how
    if family == "entry":
        value = one(PLACES if integer else ENTRIES)
        return f"entry {value}", f"with_entry({text}, {value}, {draw(st.integers(0, 9))})"
    if family == "narrowed":
        return "narrowed", f"narrowed({text}, {one(INTEGERS)!r})"
    dtype = one(DTYPES)
    return f"cast {dtype}", f"cast({text}, {dtype!r})"


def _axis(draw, text):
    """Draw an axis that the array has."""
    axes = re.search(r"\(\(([\d, ]*)\)", text)
    count = len(axes[1].strip(", ").split(",")) if axes and axes[1] else 1
    return draw(st.integers(0, count - 1)) if axes else 0


def _spoil_option(one, argument, text):
    if text.isdigit() and int(text) < 128 and one((True, False)):
        how = one((*INTEGERS, "int64"))
        return how, f"np.{how}({text})"
    if text in ("True", "False") and one((True, False)):
        return "bool_", f"np.bool_({text})"
    if re.fullmatch(r"\d+\.\d*", text) and one((True, False, False)):
        return "float64", f"np.float64({text})"
    numbers = tuple(n for n in NUMBERS if "**" not in n) if argument in HUGE else NUMBERS
    odd = ODD[1:] if argument == "generator" else ODD  # with None each side draws other weights
    how = one(numbers, odd, (f"{text!r}", f"({text},)"))
    return (how if how in numbers + ODD else "wrapped"), how


def _incomplete(target, given):
    """Return the arguments whose partner in PAIRS is missing."""
    pairs = [set(pair) for pair in PAIRS if target.steps[0][1].keys() >= set(pair)]
    return [name for name in given for pair in pairs if name in pair and not given.keys() >= pair]


def _text(value):
    if not isinstance(value, dict):
        return value
    return "{" + ", ".join(f"{name!r}: {text}" for name, text in value.items()) + "}"
