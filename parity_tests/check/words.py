"""Numbers and names in a sentence."""


def counted(number, noun):
    """Return "1 case", "2 cases"."""
    return f"{number} {noun}{'s' * (number != 1)}"


def listed(names, last="and"):
    """Return "a", "a and b", "a, b and c"."""
    *most, end = names
    return f"{', '.join(most)} {last} {end}" if most else end
