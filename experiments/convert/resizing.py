"""How timm and transformers resize an image before their model, as `preprocessing` here has it."""

from numpy_ref.preprocessing import INTERPOLATIONS

from ..fields import is_number

RESAMPLE = {2: "bilinear", 3: "bicubic"}  # Pillow's numbers, which transformers writes
OF_TIMM = ("crop_pct", "crop_mode", "interpolation")
OF_TRANSFORMERS = ("resample", "do_center_crop", "size", "crop_size", "crop_pct")


def of_timm(config):
    """Return ({"crop_pct", "interpolation"} as far as told, {field: value} that has no place here).

    timm's crop_mode "center" scales the shorter side and cuts the middle out, which is done here too.
    """
    told = {name: config[name] for name in OF_TIMM if config.get(name) is not None}
    kept = {}
    if told.get("crop_mode", "center") == "center" and _is_share(told.get("crop_pct")):
        told.pop("crop_mode", None)
        kept["crop_pct"] = told.pop("crop_pct")
    if told.get("interpolation") in INTERPOLATIONS:
        kept["interpolation"] = told.pop("interpolation")
    return kept, told


def of_transformers(processor):
    """Return the same of preprocessor_config.json.

    Without do_center_crop transformers resizes the whole image to `size`, as is done here without
    crop_pct. With it, and a size of {"shortest_edge": n}, crop_pct is crop_size / n.
    """
    if not processor.get("do_resize", True):
        return {}, {"do_resize": False}
    told = {name: processor[name] for name in OF_TRANSFORMERS if processor.get(name) is not None}
    kept = {}
    if told.get("resample") in RESAMPLE:
        kept["interpolation"] = RESAMPLE[told.pop("resample")]
    share = _cropped(told.get("size"), told.get("crop_size"))
    if not told.pop("do_center_crop", False):
        told.pop("crop_size", None)
        if "shortest_edge" not in _object(told.get("size")):
            told.pop("size", None)
    elif _is_share(share):
        kept["crop_pct"] = share
        told = {name: value for name, value in told.items() if name not in ("size", "crop_size")}
    else:
        told["do_center_crop"] = True
    return kept, told


def _cropped(size, crop_size):
    """Return the share of the shorter side that is kept, or None if it is not of that form."""
    edge, height, width = _object(size).get("shortest_edge"), *_sides(crop_size)
    if not all(map(is_number, (edge, height, width))) or height != width or edge <= 0:
        return None
    return height / edge


def _sides(size):
    """Return height and width of a size, of one number or of an object."""
    if isinstance(size, dict):
        return size.get("height"), size.get("width")
    return size, size


def _object(size):
    return size if isinstance(size, dict) else {}


def _is_share(number):
    return is_number(number) and 0 < number <= 1
