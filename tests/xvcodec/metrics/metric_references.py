"""The metrics once more, written down from their definitions in numpy and slowly: what the product is checked against."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
from metric_clips import Pairs

from xvcodec.media.types import VideoInfo

Array = np.ndarray
WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)  # of the scales of MS-SSIM


def ssim_blocks(a: Array, b: Array, peak: int) -> float:
    """SSIM of a plane over 8x8 windows that start at every fourth sample, with unbiased variances."""
    a, b = a.astype(np.float64), b.astype(np.float64)
    rows, columns = a.shape[0] // 4 * 4, a.shape[1] // 4 * 4
    values = []
    for y in range(0, rows - 7, 4):
        for x in range(0, columns - 7, 4):
            s, t = a[y:y + 8, x:x + 8], b[y:y + 8, x:x + 8]
            covariance = ((s - s.mean()) * (t - t.mean())).sum() / 63
            c1, c2 = (0.01 * peak) ** 2, (0.03 * peak) ** 2
            values.append((2 * s.mean() * t.mean() + c1) * (2 * covariance + c2)
                          / ((s.mean() ** 2 + t.mean() ** 2 + c1) * (s.var(ddof=1) + t.var(ddof=1) + c2)))
    return float(np.mean(values))


def ssim_maps(a: Array, b: Array) -> tuple[Array, Array]:
    """SSIM and its contrast-structure part at every place of an 11x11 Gaussian window in one channel [H, W], 0..255."""
    window = np.exp(-0.5 * ((np.arange(11) - 5) / 1.5) ** 2)
    kernel = np.outer(window, window) / window.sum() ** 2
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    blur_a, blur_b, blur_aa, blur_bb, blur_ab = (
        np.einsum("yxij,ij->yx", np.lib.stride_tricks.sliding_window_view(plane, (11, 11)), kernel)
        for plane in (a, b, a * a, b * b, a * b))
    structure = (2 * (blur_ab - blur_a * blur_b) + c2) / (blur_aa - blur_a**2 + blur_bb - blur_b**2 + c2)
    return (2 * blur_a * blur_b + c1) / (blur_a**2 + blur_b**2 + c1) * structure, structure


def ms_ssim(a: Array, b: Array) -> float:
    """MS-SSIM of one channel [H, W], 0..255."""
    result = 1.0
    a, b = a.astype(np.float64), b.astype(np.float64)
    for scale, weight in enumerate(WEIGHTS):
        whole, structure = ssim_maps(a, b)
        result *= float(np.mean(whole if scale == 4 else structure)) ** weight
        a, b = _halve(a), _halve(b)
    return result


def _halve(plane: Array) -> Array:
    """Means of 2x2 samples; odd sides get a zero at both ends first, as pytorch-msssim does it."""
    plane = np.pad(plane, [(side % 2, side % 2) for side in plane.shape])
    rows, columns = plane.shape[0] // 2, plane.shape[1] // 2
    return plane[: 2 * rows, : 2 * columns].reshape(rows, 2, columns, 2).mean((1, 3))


def xpsnr(pairs: Pairs, info: VideoInfo) -> tuple[list[float], float]:
    """XPSNR of pictures up to 2048x1152: the worst plane of every frame, and of the clip."""
    ratio = info.width * info.height / (3840 * 2160)
    side = 4 * int(32 * np.sqrt(ratio) + 0.5)
    picture = np.sqrt(16 * 2.0 ** (2 * info.bit_depth - 9) / np.sqrt(max(1e-5, ratio)))
    before = [np.zeros((info.height, info.width), np.int64)] * 2
    roots: list[list[float]] = []
    for source, decoded in pairs:
        luma = source.y.astype(np.int64)
        past = before[0] if info.frame_rate < 32 else 2 * before[0] - before[1]
        weights = _weights(luma, luma - past, side, info.bit_depth)
        before = [luma, before[0]]
        sizes = [(side, side)] + 2 * [tuple(side * c // n for c, n in zip(info.chroma_size, luma.shape, strict=True))]
        errors = [(a.astype(np.float64) - b) ** 2 for a, b in zip(source.planes, decoded.planes, strict=True)]
        roots.append([np.sqrt(int(picture * sum(w * block.sum() for w, block in zip(weights, _blocks(error, *size),
                                                                                    strict=True)) + 0.5))
                      for error, size in zip(errors, sizes, strict=True)])
    energy = np.array([plane.size for plane in pairs[0][0].planes]) * ((1 << info.bit_depth) - 1) ** 2
    frames = 10 * np.log10(energy / np.square(roots))
    return frames.min(1).tolist(), float((10 * np.log10(energy / np.mean(roots, 0) ** 2)).min())


def _weights(luma: Array, change: Array, side: int, depth: int) -> list[float]:
    """One weight a block: one over its activity in space and time, no larger than that of every neighbour."""
    padded = np.pad(luma, 1).astype(np.float64)
    around = sum(padded[1 + y: 1 + y + luma.shape[0], 1 + x: 1 + x + luma.shape[1]] * (2 if 0 in (y, x) else 1)
                 for y in (-1, 0, 1) for x in (-1, 0, 1) if (y, x) != (0, 0))
    space = np.abs(12.0 * luma - around)
    space[[0, -1]], space[:, [0, -1]] = np.nan, np.nan  # the edge has no activity
    activity = [float(np.nanmean(s)) + 2 * float(np.abs(t).mean()) if np.isfinite(s).any() else 1.0
                for s, t in zip(_blocks(space, side, side), _blocks(change, side, side), strict=True)]
    small = [not np.isfinite(s).any() for s in _blocks(space, side, side)]
    found = [1.0 if tiny else 1 / max(value, 2.0 ** (depth - 6)) for value, tiny in zip(activity, small, strict=True)]
    return _smooth(found, -(-luma.shape[1] // side)) if luma.size <= 640 * 480 else found


def _smooth(found: list[float], columns: int) -> list[float]:
    """Cap each block, in order, at the largest of its neighbours left, right and above, the left and upper ones capped."""
    found = list(found)
    for block in range(len(found)):
        left = [block - 1] if block % columns else []
        right = [block + 1] if (block + 1) % columns else []
        above = [block - columns] if block >= columns else []
        if block == len(found) - 1:
            right, left, above = [], [block - 1], [block - columns]
        neighbours = left + right + above
        if neighbours:
            found[block] = min(found[block], max(found[other] for other in neighbours))
    return found


def _blocks(plane: Array, rows: int, columns: int) -> Iterator[Array]:
    for y in range(0, plane.shape[0], rows):
        for x in range(0, plane.shape[1], columns):
            yield plane[y:y + rows, x:x + columns]


def squeezenet(a: Array, b: Array, weights: Mapping[str, Array]) -> float:
    """SqueezeNet feature distance of two RGB pictures, uint8 [H, W, 3]."""
    total = 0.0
    for one, other in zip(_features(a, weights), _features(b, weights), strict=True):
        one, other = (layer / np.linalg.norm(layer, axis=0) for layer in (one, other))
        total += float(np.mean(np.sum((one - other) ** 2, axis=0)))
    return total


def _features(rgb: Array, weights: Mapping[str, Array]) -> Iterator[Array]:
    x = rgb[:, :, ::-1].transpose(2, 0, 1) - np.array([103.939, 116.779, 123.68])[:, None, None]
    x = _convolve(x, weights, "conv1")[:, ::2, ::2]
    yield x
    for fire in range(2, 10):
        x = _pool(x) if fire in (2, 4, 6) else x
        squeezed = _convolve(x, weights, f"fire{fire}/squeeze1x1")
        wide = _convolve(np.pad(squeezed, ((0, 0), (1, 1), (1, 1))), weights, f"fire{fire}/expand3x3")
        x = np.concatenate([_convolve(squeezed, weights, f"fire{fire}/expand1x1"), wide])
        if fire not in (2, 4):
            yield x


def _convolve(x: Array, weights: Mapping[str, Array], name: str) -> Array:
    kernel = weights[f"{name}.w"].astype(np.float64)
    windows = np.lib.stride_tricks.sliding_window_view(x, kernel.shape[2:], (1, 2))
    return np.maximum(0, np.einsum("cyxij,ocij->oyx", windows, kernel, optimize=True)
                      + weights[f"{name}.b"][:, None, None])


def _pool(x: Array) -> Array:
    """Maxima of 3x3 samples, every second one; windows that stick out take what is there."""
    rows, columns = (-(-(side - 3) // 2) + 1 for side in x.shape[1:])
    return np.array([[x[:, 2 * r:2 * r + 3, 2 * c:2 * c + 3].max((1, 2)) for c in range(columns)]
                     for r in range(rows)]).transpose(2, 0, 1)
