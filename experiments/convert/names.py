"""Names with numbers in them, as "features.{2i+1}.{j}.norm1.weight"."""

import re

PLACE = re.compile(r"\{(\d*)([a-z])([+-]\d+)?\}")
NUMBER = r"(0|[1-9]\d*)"


class Pattern:
    """A name with places {i}, {i-1} or {2i+1} for numbers.

    The values of the letters are a tuple in alphabetical order, as (i, j). `match` reads it off a name,
    `fill` puts it in.
    """

    def __init__(self, text):
        self.text = text
        self._places = [(int(a or 1), letter, int(b or 0)) for a, letter, b in PLACE.findall(text)]
        self.letters = sorted(letter for _, letter, _ in self._places)
        fixed = PLACE.split(text)[::4]
        self._regex = re.compile(NUMBER.join(map(re.escape, fixed)))
        self.glob = "*".join(fixed)  # for reports

    def match(self, name):
        """Return the values for which `fill` gives the name, or None."""
        found = self._regex.fullmatch(name)
        if not found:
            return None
        values = {}
        for (factor, letter, shift), text in zip(self._places, found.groups(), strict=True):
            values[letter], rest = divmod(int(text) - shift, factor)
            if rest or values[letter] < 0:
                return None
        return tuple(values[letter] for letter in self.letters)

    def fill(self, at):
        """Return the name with these values."""
        values = dict(zip(self.letters, at, strict=True))
        numbers = (str(factor * values[letter] + shift) for factor, letter, shift in self._places)
        return PLACE.sub(lambda _: next(numbers), self.text)

    @property
    def key(self):
        """The `glob` of each name that matches."""
        return glob(PLACE.sub("0", self.text))


def glob(name):
    """Return a name with * for each number between dots: the names of all layers become one."""
    return re.sub(r"(?<![^.])\d+(?![^.])", "*", name)
