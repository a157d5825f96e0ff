"""The converter, without the libraries: there and back again, what is recognised and refused."""

import pytest
from checkpoints import BY_NAME, INSISTED, OPTIONS, PAIRS, checkpoint

from experiments.convert import convert_tensors
from experiments.convert.families import FAMILIES


def converted(name, state, to, **insisted):
    family = INSISTED.get(name)
    return convert_tensors(state, to, family, options=OPTIONS[name], **insisted)


def assert_same_bits(one, other):
    assert one.keys() == other.keys(), sorted(one.keys() ^ other.keys())
    for name in one:
        assert one[name].code == other[name].code
        assert one[name].shape == other[name].shape, name
        assert one[name].array.tobytes() == other[name].array.tobytes(), name


def named_alike(family, form):
    """Return the formats whose names are the same: timm's MaxViT has this project's."""
    names = {f: checkpoint(family, f).keys() for f in BY_NAME[family].formats}
    return [f for f in names if names[f] == names[form]]


@pytest.mark.parametrize("code", ["F32", "BF16"])
@pytest.mark.parametrize(("family", "source", "target"), PAIRS)
def test_there_and_back_again_is_the_same_bits(family, source, target, code):
    """The format of the result is recognised; the tensors of the target are those of its own tables."""
    state = checkpoint(family, source, code)
    there, report = converted(family, state, target)
    assert report.family == family
    assert report.source in named_alike(family, source)
    expected = checkpoint(family, target, code)
    assert {n: (t.code, t.shape) for n, t in there.items()} == {
        n: (t.code, t.shape) for n, t in expected.items()
    }
    back, report = converted(family, there, source, source=target)
    assert report.source == target
    assert_same_bits(state, back)


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_no_name_is_two_tensors(family):
    """In every format each rule has names of its own, with the same letters as in the others."""
    for form in family.formats:
        stored = [rule.stored[form] for rule in family.rules if form in rule.stored]
        names = [piece.text for one in stored for piece in one.pieces if piece]
        assert len(set(names)) == len(names)
    for rule in family.rules:
        pieces = [piece for one in rule.stored.values() for piece in one.pieces if piece]
        assert {tuple(piece.letters) for piece in pieces} == {tuple(rule.letters)}
