"""Write the network of a run into a folder that `from_pretrained` of either twin reads."""

import sys

from .cli import MISTAKES, command, fail, loaded_run, parse, parser_of_a_run
from .inference import described


@command
def main(argv=None):
    parser = parser_of_a_run("experiments.export", __doc__)
    parser.add_argument("out", type=str, help="the new folder: config.json and model.safetensors")
    options = parse(parser, argv)
    try:
        run, trainer = loaded_run(options)
        described(trainer.model, run).save_pretrained(options.out)
    except MISTAKES as error:
        fail(parser.prog, error)
    print(f"written {options.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
