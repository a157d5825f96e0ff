"""Read vectors and results. A damaged or missing file raises a ValueError of one line."""

import json

import numpy as np

from .files import sha256, unpacked

MANIFEST = "manifest.json"


class Vectors:
    """The vectors in a folder; entries: those of the manifest."""

    def __init__(self, folder):
        self.folder = folder
        path = folder / MANIFEST
        try:
            self.manifest = json.loads(path.read_text(encoding="utf-8"))
            found, self.entries = self.manifest["format"], self.manifest["cases"]
        except OSError as error:
            raise ValueError(f"{path}: cannot be read ({error.strerror})") from None
        except (ValueError, TypeError, KeyError) as error:
            raise ValueError(f"{path}: is no manifest of vectors ({error!r})") from None
        if found != 1:
            raise ValueError(f"{path}: format is {found!r}, expected 1")

    def tensors(self, entry):
        """Return {name: array} of a case's file, floats as float64."""
        path = self.folder / entry["file"]
        try:
            content = path.read_bytes()
        except OSError as error:
            raise ValueError(f"{path}: cannot be read ({error.strerror})") from None
        if sha256(content) != entry["sha256"]:
            raise ValueError(f"{path}: sha256 is {sha256(content)}, expected {entry['sha256']}")
        return unpacked(content, path)


def results_of(folder, entry):
    """Return ({name: array}, [problem]) of the results for a case, both empty if there are none.

    They are in a file of the same name as the case's, as tensors `result.<name>`, or in a folder of that
    name without .safetensors, as files `result.<name>.npy`.
    """
    path = folder / entry["file"]
    single = path.with_suffix("")
    if not path.exists() and not single.exists():
        return {}, []
    try:
        found = unpacked(path.read_bytes(), path) if path.exists() else _arrays(single)
    except (ValueError, OSError) as error:
        return {}, [str(error)]
    place = path if path.exists() else single
    wanted = {f"result.{name}": tuple(output["shape"]) for name, output in entry["outputs"].items()}
    problems = [f"{place}: {name} is no result of the case" for name in found if name not in wanted]
    good = {}
    for name, shape in wanted.items():
        if name not in found:
            problems.append(f"{place}: {name} is not there, expected one of shape {shape}")
        elif found[name].shape != shape:
            problems.append(f"{place}: {name} has shape {found[name].shape}, expected {shape}")
        else:
            good[name.removeprefix("result.")] = found[name]
    return good, problems


def _arrays(folder):
    """Return {name: array} of a folder's .npy files."""
    return {path.stem: _array(path) for path in sorted(folder.glob("*.npy"))}


def _array(path):
    try:
        array = np.load(path, allow_pickle=False)
    except (ValueError, EOFError) as error:
        raise ValueError(f"{path}: is no array ({error})") from None
    if array.dtype.kind not in "fiu":
        raise ValueError(f"{path}: dtype is {array.dtype}, expected floats or integers")
    return array.astype(np.float64 if array.dtype.kind == "f" else np.int64)
