"""Convert checkpoints between timm, torchvision, transformers, the original files and this project."""

from pathlib import Path

from .config_beside import as_pair, options_beside
from .families import FAMILIES
from .images_beside import fitting, images_beside
from .reading import read
from .report import Report
from .rules import FORMATS
from .state import convert_tensors
from .writing import check_out, write_file, write_folder

__all__ = ["FAMILIES", "FORMATS", "Report", "convert", "convert_tensors"]


def convert(
    source,
    out,
    to,
    family=None,
    origin=None,
    allow=(),
    img_size=None,
    window_size=None,
    verify=False,
):
    """Convert a checkpoint to another format, write it, and return the Report.

    source: a file of safetensors or torch.save, an index.json of shards, or a folder with one of these.
    out: the safetensors file to write. With to="here", a name without .safetensors is a folder for
        config.json and model.safetensors.
    to: "timm", "torchvision", "transformers", "microsoft", "facebook", "google" or "here".
    family, origin: insist on a family, or on the format of the source.
    allow: a name, or a pattern with *, or several, that may be left over.
    img_size, window_size: a length or (height, width), where neither the file nor a config.json in its
        folder tells it.
    verify: build the models of both sides, load them strictly and compare what they compute.
    Raises OSError, or ValueError/TypeError naming the file and what is wrong; then nothing is written.
    """
    as_folder = to == "here" and Path(out).suffix != ".safetensors"
    check_out(source, out, as_folder)
    tensors, remarks = read(source)
    beside = options_beside(source)
    given = {"img_size": img_size, "window_size": window_size}
    options = beside | {n: as_pair(n, size) for n, size in given.items() if size is not None}
    try:
        converted, report = convert_tensors(
            tensors, to, family, origin, allow, options, as_folder, verify
        )
    except TypeError as error:
        raise TypeError(f"{source}: {error}") from error
    except ValueError as error:
        raise ValueError(f"{source}: {error}") from error
    report.remarks = remarks + ([f"{', '.join(beside)} from config.json"] if beside else [])
    images = images_beside(source)
    if as_folder:
        preprocessing, classes, lines = fitting(images, report.arguments.values)
        report.remarks += lines
        write_folder(out, converted, report.arguments, preprocessing, classes)
    else:
        if images.moments or images.classes:
            report.remarks.append("mean, std and classes stay behind: a file has no place for them")
        write_file(out, converted)
    return report
