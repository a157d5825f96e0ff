"""Pictures of a training run: curves over the epochs, and the confusion matrix."""

import numpy as np
from matplotlib.colors import PowerNorm
from matplotlib.ticker import MaxNLocator

from .panels import write_numbers
from .style import LIGHT_TO_DARK, new_figure, styled

TRAIN, VAL = "#3b6fa0", "#d1582a"


@styled
def training_curves(metrics, title="Training"):
    """Draw loss, accuracy and learning rate over the epochs.

    metrics: a dict per epoch: epoch, lr, train_loss, train_accuracy, val_loss, val_accuracy.
    """
    columns = {key: np.array([row[key] for row in metrics], float) for key in metrics[0]}
    figure = new_figure(9, 3.3, title)
    loss, accuracy, lr = figure.subplots(1, 3, width_ratios=[3, 3, 2])
    for ax, name, scale in ((loss, "loss", 1), (accuracy, "accuracy", 100)):
        for part, colour in (("train", TRAIN), ("val", VAL)):
            values = scale * columns[f"{part}_{name}"]
            ax.plot(columns["epoch"], values, color=colour, marker=".", label=part)
    loss.set(title="loss", ylim=(0, None))
    accuracy.set(title="accuracy (%)", ylim=(None, 100.5))
    accuracy.legend(loc="lower right")
    lr.plot(columns["epoch"], columns["lr"], color="0.35", marker=".")
    lr.set(title="learning rate", ylim=(0, None))
    lr.ticklabel_format(axis="y", scilimits=(-2, 3))
    for ax in (loss, accuracy, lr):
        ax.set(xlabel="epoch", xlim=(columns["epoch"].min() - 0.5, columns["epoch"].max() + 0.5))
        ax.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=6, min_n_ticks=1))
        ax.grid(axis="y", color="0.9", linewidth=0.8)
    return figure


@styled
def confusion_matrix(labels, predictions, classes, title=None):
    """Draw the confusion matrix, a row per true class, with numbers for up to 20 classes.

    labels, predictions: (N,), integers.
    """
    size = len(classes)
    counts = np.zeros((size, size), int)
    np.add.at(counts, (labels, predictions), 1)
    accuracy = np.trace(counts) / max(len(labels), 1)
    seen = np.ma.masked_equal(counts, 0)  # empty cells stay white
    figure = new_figure(
        7, 6.2, title or f"Confusion matrix: {accuracy:.1%} of {len(labels)} images are correct"
    )
    ax = figure.subplots()
    # A square root keeps single errors visible beside a full diagonal.
    image = ax.imshow(seen, cmap=LIGHT_TO_DARK, norm=PowerNorm(0.5, 0, max(counts.max(), 1)))
    if size <= 20:
        write_numbers(ax, seen, image, fontsize=min(10, 120 / size))
    _name_classes(ax, classes)
    ax.spines[:].set(visible=True, color="0.8")
    ax.set(xlabel="predicted class", ylabel="true class")
    figure.colorbar(image, ax=ax, label="images (square-root scale)", aspect=30)
    return figure


def _name_classes(ax, classes):
    """Label every class up to 40, then every n-th; rotate long names on the x axis."""
    step = -(-len(classes) // 40)
    ticks = range(0, len(classes), step)
    names = [str(classes[tick]) for tick in ticks]
    small = min(9, 260 / len(ticks))
    ax.set_xticks(ticks, names, fontsize=small, rotation=90 if max(map(len, names)) > 2 else 0)
    ax.set_yticks(ticks, names, fontsize=small)
