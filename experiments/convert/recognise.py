"""Tell a file's family and format from its names."""

from .found import find

SHOWN = 3  # names in a message


def recognise(names, families, target, family=None, source=None):
    """Return the Found of the family and format that the names are of.

    family, source: insist on them; with both, a position table need not be among the names.
    Of formats that have the same names, the one that is not `target` is chosen.
    Raises ValueError, with the evidence, for names of no family or of two.
    """
    chosen = [f for f in families if family in (None, f.name)]
    if not chosen:
        raise ValueError(f"family is {family!r}, expected one of {', '.join(f.name for f in families)}")
    formats = sorted({form for f in chosen for form in f.formats})
    if source not in (None, *formats):
        raise ValueError(f"from is {source!r}, expected one of {', '.join(formats)}")
    tried = [find(f, form, names) for f in chosen for form in f.formats if source in (None, form)]
    telling = [found for found in tried if found.telling or (family and source)]
    if not telling:
        raise ValueError(_none(names, chosen, source))
    best = min(telling, key=lambda found: (found.family.carries, cost(found), found.form == target))
    left = set(best.left)
    for other in telling:
        if other.family is not best.family and left.intersection(other.telling):
            raise ValueError(_two(best, other))
    return best


def cost(found):
    """Return how many names do not fit or are missing."""
    return len(found.left) + len(found.missing())


def shown(names):
    """Return the first names, and how many more there are."""
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more


def _none(names, families, source):
    known = ", ".join(family.name for family in families) + (f" in {source}" if source else "")
    return f"no position tables of {known} among its names, which are {shown([*names])}"


def _two(best, other):
    return (
        f"two families at once: {shown(best.telling)} of {best.family.name} in {best.form}, and "
        f"{shown(other.telling)} of {other.family.name} in {other.form}"
    )
