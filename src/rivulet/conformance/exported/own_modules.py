"""Networks that are no package's, as people write them: a U-Net, a generator, a super-resolution.

They stand for what classifiers have not: transposed convolutions, skips between resolutions, and
channels that become pixels.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any


def unet() -> Any:
    """Two steps down and up, by transposed convolutions, with the skips between them."""
    from torch import cat, nn

    def twice(inside: int, outside: int) -> Any:
        return nn.Sequential(
            nn.Conv2d(inside, outside, 3, padding=1), nn.BatchNorm2d(outside), nn.ReLU(),
            nn.Conv2d(outside, outside, 3, padding=1), nn.BatchNorm2d(outside), nn.ReLU(),
        )  # fmt: skip

    class UNet(nn.Module):  # type: ignore[misc]
        """Segmentation into two classes."""

        def __init__(self) -> None:
            super().__init__()
            self.down = nn.ModuleList([twice(3, 16), twice(16, 32)])
            self.bottom = twice(32, 64)
            self.widen = nn.ModuleList(
                [nn.ConvTranspose2d(64, 32, 2, stride=2), nn.ConvTranspose2d(32, 16, 2, stride=2)]
            )
            self.up = nn.ModuleList([twice(64, 32), twice(32, 16)])
            self.last = nn.Conv2d(16, 2, 1)

        def forward(self, image: Any) -> Any:
            skips = []
            for block in self.down:
                image = block(image)
                skips.append(image)
                image = nn.functional.max_pool2d(image, 2)
            image = self.bottom(image)
            for widen, block in zip(self.widen, self.up, strict=True):
                image = block(cat([widen(image), skips.pop()], dim=1))
            return self.last(image)

    return UNet()


def dcgan_generator() -> Any:
    """From 100 random numbers to an image of 64 x 64."""
    from torch import nn

    widths = (100, 128, 64, 32, 16)
    layers: list[Any] = []
    for place, (inside, outside) in enumerate(pairwise(widths)):
        step = {"stride": 2, "padding": 1} if place else {}
        layers += [
            nn.ConvTranspose2d(inside, outside, 4, bias=False, **step),
            nn.BatchNorm2d(outside),
            nn.ReLU(),
        ]
    return nn.Sequential(
        *layers, nn.ConvTranspose2d(widths[-1], 3, 4, stride=2, padding=1), nn.Tanh()
    )


def super_resolution() -> Any:
    """Sub-pixel convolution: channels become an image three times as large."""
    from torch import nn

    return nn.Sequential(
        nn.Conv2d(1, 64, 5, padding=2), nn.Tanh(),
        nn.Conv2d(64, 32, 3, padding=1), nn.Tanh(),
        nn.Conv2d(32, 9, 3, padding=1), nn.PixelShuffle(3),
    )  # fmt: skip
