from __future__ import annotations

import cv2
import numpy as np

from services.models.pixels import to_planes, value_table

TABLE = value_table(127.5, 128)


def test_planes_are_those_of_opencvs_blob() -> None:
    images = [
        np.random.default_rng(seed).integers(0, 256, (64, 96, 3), np.uint8) for seed in range(3)
    ]
    blob = cv2.dnn.blobFromImages(images, 1 / 128, mean=(127.5, 127.5, 127.5), swapRB=True)
    assert np.array_equal(to_planes(images, TABLE, (96, 64), (96, 64)), blob)


def test_padding_is_black_and_right_and_below() -> None:
    image = np.full((20, 40, 3), 200, np.uint8)
    planes = to_planes([image], TABLE, (40, 20), (64, 32))
    assert planes.shape == (1, 3, 32, 64)
    assert (planes[:, :, :20, :40] == TABLE[200]).all()
    assert (planes[:, :, 20:] == TABLE[0]).all()
    assert (planes[:, :, :, 40:] == TABLE[0]).all()


def test_blue_green_red_becomes_red_green_blue() -> None:
    image = np.zeros((32, 32, 3), np.uint8)
    image[:] = (1, 2, 3)
    assert to_planes([image], TABLE, (32, 32), (32, 32))[0, :, 0, 0].tolist() == [
        TABLE[3],
        TABLE[2],
        TABLE[1],
    ]
