"""`crop_pct` keeps the middle of a streamed image, cut from the original before it is scaled."""

import numpy as np
from data_files import PARTS
from PIL import Image

from experiments.data import load_data


class TestCrop:
    def test_the_middle_is_kept_as_it_is_where_nothing_is_scaled(self, tmp_path):
        """224 of 256 pixels are crop_pct 0.875 of the shorter side."""
        pixels = np.random.default_rng(0).integers(0, 256, (256, 320, 3), np.uint8)
        data = self.read(tmp_path, pixels, (224, 224), 0.875)
        np.testing.assert_array_equal(data, pixels[16:240, 48:272].transpose(2, 0, 1))

    def test_equals_scaling_and_then_cutting(self, tmp_path):
        pixels = np.random.default_rng(0).integers(0, 256, (80, 64, 3), np.uint8)
        bands = [Image.fromarray(band).convert("F") for band in pixels.transpose(2, 0, 1)]
        halved = np.stack([np.asarray(b.resize((32, 40), Image.Resampling.BILINEAR)) for b in bands])
        data = self.read(tmp_path, pixels, (24, 24), 0.75)
        np.testing.assert_array_equal(data, halved[:, 8:32, 4:28] / np.float32(255) * 255)

    def test_an_oblong_size_keeps_the_ratio_of_sides(self, tmp_path):
        pixels = np.random.default_rng(0).integers(0, 256, (30, 40, 3), np.uint8)
        data = self.read(tmp_path, pixels, (10, 40), 1.0)
        np.testing.assert_array_equal(data, pixels[10:20].transpose(2, 0, 1))

    def read(self, folder, pixels, size, crop_pct):
        for name in ("a", "b"):
            for part in PARTS:
                (folder / part / name).mkdir(parents=True)
                Image.fromarray(pixels).save(folder / part / name / "0.png")
        given = {"mean": [0.0] * 3, "std": [1.0] * 3}
        data = load_data("folder", folder, image_size=size, streaming=True, crop_pct=crop_pct, **given)
        return data.test.at(np.array([0]))[0] * 255
