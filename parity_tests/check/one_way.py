"""Make a known bug occur in forward only or in backward only.

The other direction is right, or has only the other bugs of the same kernel.
"""


def in_forward(mistake, reference):
    """Return the mistake in forward only; reference: the kind's, whose `arguments` are its own."""
    return _one_way(mistake, reference, "forward")


def in_backward(mistake, reference):
    """Return the mistake in backward only."""
    return _one_way(mistake, reference, "backward")


def _one_way(mistake, reference, way):
    class OneWay(mistake):
        __doc__ = f"{mistake.__doc__} (in {way} only)"

        def result(self, name):
            if (name == "out") == (way == "forward"):
                return super().result(name)
            others = tuple(base for base in type(self).__bases__ if base is not OneWay)
            alone = type(self) is OneWay or not others
            without = reference if alone else type("Mistaken", others, {})
            return without(self.dout, **self.arguments).result(name)

    OneWay.__name__ = f"{mistake.__name__}In{way.title()}"
    return OneWay
