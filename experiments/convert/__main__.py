"""Convert a checkpoint to the names and the layout of another library, or of this project."""

import sys

from ..cli import MISTAKES, add_size, command, fail, parse, parser_for
from . import FAMILIES, FORMATS, convert
from .config_beside import as_pair

SIZES = {"--image-size": "in pixels", "--window-size": "in tokens"}


@command
def main(argv=None):
    parser = parser_for("experiments.convert", __doc__)
    parser.add_argument(
        "source", type=str, help="safetensors, an index.json of shards, .pth, .pt, .bin or a folder"
    )
    parser.add_argument("out", type=str, help="a new .safetensors; with --to here also a new folder")
    parser.add_argument("--to", choices=FORMATS, required=True, help="the format to write")
    parser.add_argument(
        "--from", choices=FORMATS, dest="origin", help="insist on the format of the source"
    )
    parser.add_argument("--family", choices=[f.name for f in FAMILIES], help="insist on the family")
    parser.add_argument(
        "--allow", type=str, nargs="+", default=[], help="names that may be left over; * is any text"
    )
    for option, of in SIZES.items():
        add_size(parser, option, f"{of}, where the file does not tell it")
    parser.add_argument(
        "--verify", action="store_true", help="compare the logits of the models of both sides"
    )
    options = parse(parser, argv)
    try:
        report = convert(
            options.source,
            options.out,
            options.to,
            options.family,
            options.origin,
            options.allow,
            *(_pair(option, options) for option in SIZES),
            options.verify,
        )
    except MISTAKES as error:
        fail(parser.prog, error)
    print(report)
    return 0


def _pair(option, options):
    """Return a size, which may be None; raises ValueError naming the option."""
    lengths = options[option.removeprefix("--").replace("-", "_")]
    return lengths and as_pair(option, lengths)


if __name__ == "__main__":
    sys.exit(main())
