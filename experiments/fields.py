"""Checks of fields read from a file: all are present, and each has a valid value."""

import math


def check_fields(where, given, expected):
    """Raise ValueError naming the place and the first bad field.

    where: the place, for the message. given: the value from JSON.
    expected: {name: (a test of the value, the expected value in words)}.
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
