"""The summary of its data that a run keeps, so that it works without the data."""

from dataclasses import asdict, dataclass

import numpy as np

from experiments.fields import check_fields, is_int, is_list, is_number, is_text

PARTS = {"train", "val", "test"}


@dataclass(frozen=True)
class Summary:
    """Names and numbers of a data set, without its images.

    image_shape: (C, H, W). mean, std: (C,) float32 of the training images in [0, 1]. counts: images
    in "train", "val" and "test". digest: of the names and sizes of a streamed data set's files.
    """

    name: str
    classes: tuple[str, ...]
    image_shape: tuple[int, int, int]
    mean: np.ndarray
    std: np.ndarray
    counts: dict[str, int]
    digest: str | None = None

    def to_json(self) -> dict:
        """Return the fields as values for JSON."""
        fields = asdict(self) | {"mean": self.mean.tolist(), "std": self.std.tolist()}
        return {name: value for name, value in fields.items() if (name, value) != ("digest", None)}

    @classmethod
    def from_json(cls, fields) -> "Summary":
        """Return the Summary of `to_json`'s fields; raise ValueError naming the first bad field."""
        streamed = isinstance(fields, dict) and "digest" in fields
        check_fields("data", fields, _FIELDS | _DIGEST if streamed else _FIELDS)
        moments = {name: np.array(fields[name], np.float32) for name in ("mean", "std")}
        if not len(fields["mean"]) == len(fields["std"]) == fields["image_shape"][0]:
            raise ValueError(
                f"data.mean and data.std are {fields['mean']} and {fields['std']}, "
                f"expected a number for each channel of {fields['image_shape']}"
            )
        shape, classes = tuple(fields["image_shape"]), tuple(fields["classes"])
        counts, digest = fields["counts"], fields.get("digest")
        return cls(fields["name"], classes, shape, counts=counts, digest=digest, **moments)

    def check_same(self, other: "Summary"):
        """Raise ValueError naming the first field that differs; mean and std may differ by rounding."""
        for name in ("name", "classes", "image_shape", "counts", "digest"):
            if getattr(self, name) != getattr(other, name):
                _refuse(name, getattr(self, name), getattr(other, name))
        for name in ("mean", "std"):
            if not np.allclose(getattr(self, name), getattr(other, name), rtol=1e-5, atol=1e-6):
                _refuse(name, getattr(self, name), getattr(other, name))


def _refuse(name, before, now):
    raise ValueError(f"the data is not that of the run: {name} was {before}, now it is {now}")


_DIGEST = {"digest": (lambda v: is_text(v) and len(v) == 64, "a SHA-256")}
_FIELDS = {
    "name": (is_text, "a name"),
    "classes": (lambda v: is_list(v, is_text) and len(v) > 1, "at least two names"),
    "image_shape": (
        lambda v: is_list(v, lambda n: is_int(n, 1)) and len(v) == 3,
        "channels, height and width",
    ),
    "mean": (lambda v: is_list(v, is_number), "a number for each channel"),
    "std": (lambda v: is_list(v, lambda n: is_number(n) and n > 0), "positive numbers"),
    "counts": (
        lambda v: isinstance(v, dict) and v.keys() == PARTS and all(is_int(n, 1) for n in v.values()),
        "the images in train, val and test",
    ),
}
