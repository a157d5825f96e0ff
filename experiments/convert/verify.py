"""Check a conversion on its own tensors: load each side strictly, and compare the logits in float64."""

from importlib import metadata

import numpy as np

from parity_tests import budget

from . import windows
from .model import make_buffers, write
from .tensors import numbers

SEED = 0
LIBRARIES = ("timm", "torchvision", "transformers")


def verify(found, whole, target, arguments):
    """Return the lines that say how far source, target and this project's model agree.

    Each is built by its library from the arguments, loads its tensors strictly, and computes the logits
    of a random image. Raises ValueError if fewer than two can be built, or one computes something else.
    """
    values = arguments.values
    images = np.random.default_rng(SEED).standard_normal((1, values["in_chans"], *values["img_size"]))
    logits, lines = {}, []
    for form in dict.fromkeys((found.form, target, "here")):
        try:
            model = found.family.models[form](values) if form in found.family.models else None
        except (ImportError, RuntimeError) as error:  # a broken installation raises the latter
            lines.append(f"{form} is not compared: it cannot be imported ({why(error)})")
            continue
        if model is None:
            lines.append(f"{form} is not compared: no library has its model")
        else:
            logits[_named(form)] = compute(
                loaded(form, model, state_of(found, whole, form, arguments)), images
            )
    if len(logits) < 2:
        raise ValueError(f"cannot be verified: {'; '.join(lines)}")
    (first, reference), *others = logits.items()
    eps = values["norm_eps"]
    return [_check(f"{first} and {name}", reference, other, eps) for name, other in others] + lines


def why(error):
    """Return why a library cannot be imported, and how to mend the usual reason.

    timm and transformers import torchvision, whose wheel must be built for this torch: beside another
    one its operators are missing.
    """
    while error is not None and "torchvision::" not in str(error):
        error, last = error.__cause__ or error.__context__, error
    if error is None:
        return last
    import torch

    cuda = torch.version.cuda
    build = f"cu{cuda.replace('.', '')}" if cuda else "cpu"
    return (
        f"torchvision {metadata.version('torchvision')} is not built for torch {torch.__version__}: "
        "pip install --force-reinstall --no-deps torchvision --index-url "
        f"https://download.pytorch.org/whl/{build}"
    )


def state_of(found, whole, form, arguments):
    """Return {name: Tensor} of the model in a format, with the buffers that its library loads."""
    written = write(found.family, form, whole).values()
    state = {name: tensor for new in written for name, tensor in new.items()}
    return state | make_buffers(found, form, arguments, whole.code)


def _check(name, reference, other, norm_eps):
    share = budget.float64(name, reference, other).budget_share
    if not share <= 1:
        raise ValueError(
            f"{name} compute something else: {share:.2g} times the budget, norm_eps {norm_eps:g}"
        )
    return f"{name} agree, {100 * share:.2g}% of the budget"


def loaded(form, model, state):
    """Return the model in float64 with a state; raises ValueError unless the state fits strictly."""
    import torch

    tensors = {name: torch.tensor(numbers(tensor)) for name, tensor in state.items()}
    tensors = {name: t.double() if t.is_floating_point() else t for name, t in tensors.items()}
    model, wrong = (_into_transformers if form == "transformers" else _into_torch)(model, tensors)
    if wrong:
        raise ValueError(f"{form} does not load it: {wrong}")
    return in_float64(model).eval()


def _into_transformers(model, tensors):
    """Load as transformers loads its files, whose names are not those of its modules."""
    model, info = type(model).from_pretrained(
        None, config=model.config, state_dict=tensors, dtype="float64", output_loading_info=True
    )
    return model, {key: sorted(map(str, found)) for key, found in info.items() if found}


def _into_torch(model, tensors):
    model = model.double()
    try:
        model.load_state_dict(tensors)
    except RuntimeError as error:
        return model, error
    return model, None


def in_float64(model):
    """Compute the coordinates of a model in float64, where its library computes them in float32."""
    import torch

    for layer in model.modules():
        table = getattr(layer, "relative_coords_table", None)  # Swin V2
        if table is not None:
            window = tuple((length + 1) // 2 for length in table.shape[1:3])
            pretrained = windows.pretrained_of(table.numpy(), window)
            coordinates = windows.log_coordinates(window, pretrained, np.float64)
            layer.relative_coords_table = torch.tensor(coordinates)
        if hasattr(layer, "rel_coords_log"):  # timm's RelPosMlp
            coordinates = windows.mlp_coordinates(layer.window_size, layer.mode)
            layer.rel_coords_log = torch.tensor(coordinates)
    return model


def compute(model, images):
    """Return the logits of images as an ndarray."""
    import torch

    with torch.no_grad():
        out = model(torch.tensor(images))
    return getattr(out, "logits", out).numpy()


def _named(form):
    return f"{form} {metadata.version(form)}" if form in LIBRARIES else f"{form} (torch)"
