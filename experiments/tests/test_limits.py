"""Malicious files: each gives a one-line error, with little memory and without waiting."""

import gzip
import os
import tracemalloc

import numpy as np
import pytest
from data_files import idx_bytes, undo, write_images, write_mnist
from PIL import Image
from small_runs import SMALL, refused

from experiments import plain_yaml
from experiments.data import load_data, standardise
from experiments.data.folder import read_images
from experiments.data.idx import LARGEST, read_idx
from experiments.train import main

LAUGHS = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]\n"
    for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)
YAML = {
    "itself": ("relative_position:\n  rpb_kwargs: &o {a: *o}\n", "line 2 has the alias *o"),
    "a list of itself": ("model: &m [*m]\n", "line 1 has the alias *m"),
    "a merge": ("model: &m {depth: 2}\ntraining:\n  <<: *m\n", "line 3 has the alias *m"),
    "a billion laughs": (LAUGHS, "line 2 has the alias *a"),
    "deep lists": ("model: " + "[" * 5000 + "]" * 5000, "nested more than 20 deep"),
    "deep mappings": ("model: " + "{a: " * 1000 + "}" * 1000, "nested more than 20 deep"),
    "long": ("#" * (plain_yaml.LONGEST + 1), f"expected at most {plain_yaml.LONGEST}"),
    "an object": ("model: !!python/object/apply:os.getcwd []\n", "python/object/apply:os.getcwd"),
    "no text": ("model: \0\n", "special characters are not allowed"),
}


@pytest.mark.parametrize(("text", "expected"), YAML.values(), ids=YAML)
def test_yaml_is_what_it_shows(text, expected, tmp_path, capsys):
    path = tmp_path / "config.yaml"
    path.write_text(text)
    line = refused(capsys, main, ["--config", str(path), "--run", str(tmp_path / "run")])
    assert expected in line
    assert len(line) < 1000
    assert not (tmp_path / "run").exists()


def test_an_option_is_yaml_too(tmp_path, capsys):
    arguments = ["--run", str(tmp_path / "run"), "--relative_position.rpb_kwargs", "&o {a: *o}"]
    assert "relative_position.rpb_kwargs" in refused(capsys, main, arguments)


def test_what_could_not_be_read_again_is_not_written(tmp_path, capsys, monkeypatch):
    """A list that occurs twice is written without an alias; a config too long to read is refused."""
    shared = [1, 2]
    text = plain_yaml.dump({"a": shared, "b": shared})
    assert plain_yaml.load(text) == {"a": shared, "b": shared}
    monkeypatch.setattr(plain_yaml, "LONGEST", 500)
    line = refused(capsys, main, ["--run", str(tmp_path / "run"), *SMALL])
    assert "characters of YAML, expected at most 500" in line
    assert not (tmp_path / "run").exists()


def test_plain_yaml_is_taken():
    assert plain_yaml.load("a: [1, 2.5e-3, {b: null}]") == {"a": [1, 0.0025, {"b": None}]}
    assert plain_yaml.load("[" * 20 + "]" * 20)


@pytest.mark.parametrize("tail", [b"", b"\0" * 2**26], ids=["says so", "says less"])
def test_a_gzip_bomb_is_not_unpacked(tmp_path, tail):
    """One header promises more than LARGEST bytes, the other fewer than the file unpacks to."""
    shape = (40, 5, 4) if tail else (LARGEST, 2, 2)
    header = bytes([0, 0, 8, 3]) + np.array(shape, ">u4").tobytes()
    path = tmp_path / "bomb.gz"
    path.write_bytes(gzip.compress(header + b"\0" * 800 + tail))
    tracemalloc.start()
    with pytest.raises(ValueError, match=r"bomb\.gz: .*(expected at most 1073741824|trailing bytes)"):
        read_idx(path, 3)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2**22


def test_a_bomb_in_a_data_set_is_one_line(tmp_path, capsys):
    write_mnist(tmp_path)
    bomb = gzip.compress(idx_bytes(np.zeros((30, 5, 4))) + b"\0" * 2**24)
    (tmp_path / "t10k-images-idx3-ubyte.gz").write_bytes(bomb)
    arguments = ["--data.name=mnist", f"--data.root={tmp_path}", "--run", str(tmp_path / "run"), *SMALL]
    assert "t10k-images-idx3-ubyte.gz: trailing bytes" in refused(capsys, main, arguments)


@pytest.mark.parametrize("kind", ["pipe", "device", "folder"])
def test_what_is_no_file_is_not_opened(tmp_path, capsys, kind):
    """A pipe must not even be opened: without a writer that would wait for ever."""
    write_images(tmp_path / "data", {"a": 10, "b": 10})
    path = tmp_path / "data" / "b" / "pipe.png"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "device":
        path.symlink_to("/dev/zero")
    else:
        path.mkdir()
    root = tmp_path / "data"
    line = refused(
        capsys, main, ["--data.name=folder", f"--data.root={root}", "--run", str(tmp_path / "r")]
    )
    assert f"{path}: expected a file" in line
    with pytest.raises(FileNotFoundError, match=r"pipe\.png"):
        read_images([path], (1, 6, 4))


@pytest.mark.parametrize("name", ["metrics.jsonl", "last.safetensors", "run.json", "config.yaml"])
def test_a_pipe_in_a_run_is_not_opened(finished, tmp_path, capsys, name):
    folder = tmp_path / "run"
    folder.mkdir()
    for path in finished["numpy"].iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    (folder / name).unlink()
    os.mkfifo(folder / name)
    assert refused(capsys, main, ["--resume", str(folder)])


def test_an_image_of_too_many_pixels_is_not_decoded(tmp_path, monkeypatch):
    write_images(tmp_path, {"a": 10, "b": 10})
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 23)
    with pytest.raises(ValueError, match=r"a/000\.png: Pillow cannot read .*exceeds limit of 23 pixels"):
        load_data("folder", root=tmp_path)


# pictures


def turned(orientation):
    """Return an EXIF block with this orientation."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif


UPRIGHT = {  # {EXIF orientation: where the stored upper left corner is in the upright picture}
    1: (0, 0),
    2: (0, -1),
    3: (-1, -1),
    4: (-1, 0),
    5: (0, 0),
    6: (0, -1),
    7: (-1, -1),
    8: (-1, 0),
}


@pytest.mark.parametrize("ending", ["png", "jpg", "webp"])
@pytest.mark.parametrize(("orientation", "corner"), UPRIGHT.items())
def test_a_turned_picture_is_turned_back(tmp_path, ending, orientation, corner):
    """The stored 8 x 16 pixels have one bright corner; turned by a quarter they become 16 x 8."""
    pixels = np.zeros((8, 16), np.uint8)
    pixels[:4, :4] = 255
    height, width = (16, 8) if orientation > 4 else (8, 16)
    for name in "ab":
        (tmp_path / name).mkdir()
        for n in range(10):
            picture = Image.fromarray(pixels).convert("RGB")
            picture.save(tmp_path / name / f"{n}.{ending}", exif=turned(orientation))
    data = load_data("folder", root=tmp_path)
    image = undo(data, data.train)[0].mean(0)
    assert image.shape == (height, width)
    assert image[corner] > 0.9
    others = {(0, 0), (0, -1), (-1, 0), (-1, -1)} - {corner}
    assert max(image[other] for other in others) < 0.1


def test_sizes_are_told_apart_upright(tmp_path):
    write_images(tmp_path, {"a": 10, "b": 10})
    Image.new("L", (4, 6)).save(tmp_path / "b" / "turned.png", exif=turned(6))
    with pytest.raises(ValueError, match=r"turned\.png: 4x6 .* is 6x4"):
        load_data("folder", root=tmp_path)


@pytest.mark.parametrize(
    ("array", "kind"),
    [
        (np.full((6, 4), 0.5, np.float32), "TIFF"),
        (np.full((6, 4), 40000, ">u2"), "TIFF"),
        (np.full((6, 4), 70000, np.int32), "TIFF"),
        (np.full((6, 4), 9, np.uint8), "PPM"),
    ],
    ids=["float", "16 bits big-endian", "32 bits", "another format"],
)
def test_another_format_behind_an_ending_is_refused(tmp_path, array, kind):
    write_images(tmp_path, {"a": 10, "b": 10})
    path = tmp_path / "b" / "000.png"
    Image.fromarray(array).save(path, format=kind)
    with pytest.raises(ValueError, match=r"b/000\.png: Pillow cannot read this image"):
        load_data("folder", root=tmp_path)


def test_sixteen_bits_are_scaled_beside_colour(tmp_path):
    """Colour images make the data three channels; a 16-bit grey of half the range must stay half."""
    write_images(tmp_path, {"a": 10}, mode="RGB")
    (tmp_path / "b").mkdir()
    for n in range(10):
        Image.fromarray(np.full((6, 4), 32768, np.uint16)).save(tmp_path / "b" / f"{n}.png")
    data = load_data("folder", root=tmp_path)
    half = np.full((1, 3, 1, 1), 32768, np.float32) / np.float32(65535)
    grey = data.train.images[data.train.labels == 1]
    np.testing.assert_array_equal(
        grey, np.broadcast_to(standardise(half, data.mean, data.std), grey.shape)
    )


def test_a_number_for_the_size_of_images_is_a_square(tmp_path, capsys):
    write_images(tmp_path / "data", {"a": 40, "b": 40}, size=(9, 7))
    root = f"--data.root={tmp_path / 'data'}"
    options = ["--data.name=folder", root, "--data.image_size", "8", *SMALL, "--training.epochs=1"]
    assert main([*options, "--run", str(tmp_path / "run")]) == 0
    assert "4x4 patches" in capsys.readouterr().out
    assert load_data("folder", root=tmp_path / "data", image_size=5).train.images.shape[2:] == (5, 5)
    for size in ("0", "[8]", "[8, 8, 8]", "-3"):
        line = refused(
            capsys, main, [*options, "--data.image_size", size, "--run", str(tmp_path / "no")]
        )
        assert "image_size" in line
