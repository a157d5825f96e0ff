"""Fields that come from a file: each is there, each is what it should be."""

import math


def check_fields(where, given, expected):
    """Raise ValueError naming the place and the first field at fault.

    given: what JSON gave; expected: {name: (a test of the value, what it should be in words)}.
    """
    if not isinstance(given, dict) or given.keys() != expected.keys():
        raise ValueError(f"{where} is {given}, expected the fields {', '.join(expected)}")
    for name, (fits, wanted) in expected.items():
        if not fits(given[name]):
            raise ValueError(f"{where}: {name} is {given[name]!r}, expected {wanted}")


def is_int(value, least=0):
    return type(value) is int and value >= least


def is_number(value):
    return type(value) in (int, float) and math.isfinite(value)


def is_list(value, fits):
    return isinstance(value, list) and all(map(fits, value))


def is_text(value):
    return isinstance(value, str)
