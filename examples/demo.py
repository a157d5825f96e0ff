"""Relative position bias in pictures, in 1-D and 2-D, drawn and trained with NumPy alone.

    python -m examples.demo [--out examples/pictures]

Trains small vision transformers on scikit-learn's digits, the same with each scheme, and draws what
their biases are made of and what they have learned. Every number comes from a seeded generator.
"""

import argparse
from pathlib import Path

import numpy as np

from experiments import plots
from experiments.data import load_data
from experiments.data.batches import batches
from experiments.pictures import patch_bias, write_picture
from numpy_ref import Trainer, VisionTransformer

GRID = (4, 4)  # 8x8 pixels in patches of 2x2: a table of 7x7 offsets
EPOCHS, BATCH_SIZE = 10, 64
QUERY, KEY = 9, 1
LAYER = "blocks.1.attn.rel_pos"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--out", type=Path, default=Path("examples/pictures"), help="folder of the pictures"
    )
    out = parser.parse_args().out
    out.mkdir(parents=True, exist_ok=True)

    dataset = load_data("digits")
    before = build("2d").rel_pos_biases()[LAYER]()
    trained = {}
    for bias_type in ("1d", "2d", "t5", "alibi", "log_cpb"):
        trainer = train(build(bias_type), dataset)
        trained[bias_type] = trainer.model.rel_pos_biases()[LAYER]
        print(f"{bias_type:8} {accuracy(trainer, dataset.test):.1%} of the test digits")
    for name, (figure, seen) in pictures(before, trained).items():
        print(f"{write_picture(figure, out / name)}: {seen}")


def build(bias_type):
    """An untrained ViT of two layers and four heads, mean pooling, always from the same seed."""
    return VisionTransformer(
        img_size=8,
        patch_size=2,
        global_pool="avg",
        embed_dim=64,
        depth=2,
        num_heads=4,
        rpb_kwargs={"bias_type": bias_type},
        generator=np.random.default_rng(0),
    )


def train(model, dataset):
    steps = -(-len(dataset.train.labels) // BATCH_SIZE)
    trainer = Trainer(model, lr=2e-3, total_steps=EPOCHS * steps, warmup_steps=steps, table_lr_factor=20)
    for epoch in range(EPOCHS):
        for images, labels in batches(dataset.train, BATCH_SIZE, seed=0, epoch=epoch):
            trainer.train_step(images, labels)
    return trainer


def accuracy(trainer, split):
    return np.mean(trainer.predict(split.images).argmax(-1) == split.labels)


def pictures(before, trained):
    """{file: (figure, what is seen)}; before: the untrained 2-D bias; trained: {bias_type: scheme}."""
    biases = {bias_type: patch_bias(scheme, 0) for bias_type, scheme in trained.items()}
    one, two = trained["1d"], trained["2d"]
    head = int(np.argmax(two.table().std(0)))
    length = one.window_size
    return {
        "hero.png": (
            plots.hero(two.index, two.table(), GRID, QUERY, KEY, head),
            f"table, index, bias and one query's view of a trained head (head {head})",
        ),
        "1d_overview.png": (
            plots.overview(
                one.index,
                one.table(),
                length,
                QUERY,
                "Relative position bias in 1-D: 16 tokens in a row",
            ),
            "the diagonals of the index; the middle offsets are the frequent ones",
        ),
        "2d_overview.png": (
            plots.overview(
                two.index, two.table(), GRID, QUERY, "Relative position bias in 2-D: 4×4 patches"
            ),
            "the same in blocks: a block is a Δy, a diagonal in it a Δx",
        ),
        "2d_bias.png": (
            plots.bias_over_offsets(
                biases["2d"], GRID, "2-D bias after training, over the offset query − key"
            ),
            "red offsets get more attention, blue ones less; each head has its own taste",
        ),
        "before_after.png": (
            plots.before_after(before, biases["2d"], GRID),
            "the random start is nearly zero on the scale of what was learned",
        ),
        "schemes.png": (
            plots.compare_schemes(biases, GRID),
            "1d, t5 and alibi read the grid as one row, 2d and log_cpb know both axes",
        ),
    }


if __name__ == "__main__":
    main()
