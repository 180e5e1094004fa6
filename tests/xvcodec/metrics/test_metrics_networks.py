"""SqueezeNet feature distance against numpy; LPIPS and DISTS: what their packages are given, and what is said without."""

from __future__ import annotations

import sys
import zipfile
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from metric_clips import clip, info
from metric_references import squeezenet

from xvcodec.media import open_video, to_rgb
from xvcodec.metrics import measure, resolve
from xvcodec.metrics.squeezenet import shapes


@pytest.fixture(scope="module")
def arrays(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Random arrays with the names and shapes of SqueezeNet 1.1's."""
    rng = np.random.default_rng(0)
    path = tmp_path_factory.mktemp("squeezenet") / "arrays.npz"
    np.savez(path, **{name: rng.normal(0, (1.5 / np.prod(shape[1:])) ** 0.5 if len(shape) == 4 else 0.1, shape)
                      .astype(np.float32) for name, shape in shapes().items()})
    return path


@pytest.mark.parametrize("size", [(64, 48), (51, 37), (32, 32)])
def test_squeezenet(arrays: Path, size: tuple[int, int]) -> None:
    about = info(*size)
    pairs = clip(about, 2, error=20)
    metrics, missing = resolve(["squeezenet"], squeezenet=arrays)
    assert not missing
    found = measure(metrics, about, pairs)[0]["squeezenet"]
    weights = dict(np.load(arrays))
    wanted = [squeezenet(to_rgb(a, about), to_rgb(b, about), weights) for a, b in pairs]
    assert found.frames == pytest.approx(wanted, rel=1e-4) and min(wanted) > 0.001
    assert found.clip == pytest.approx(np.mean(wanted), rel=1e-4)


def test_squeezenet_by_the_environment(arrays: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XVC_SQUEEZENET", str(arrays))
    about = info(64, 48)
    pairs = [(a, a) for a, _ in clip(about, 2)]
    assert measure(resolve(["squeezenet"])[0], about, pairs)[0]["squeezenet"].clip == 0.0
    monkeypatch.delenv("XVC_SQUEEZENET")
    assert "--squeezenet" in resolve(["squeezenet"])[1][0].reason


def test_squeezenet_of_the_published_network(data_dir: Path) -> None:
    path = data_dir / "metrics" / "squeezenet1_1_features_oihw.npz"
    if not path.is_file():
        pytest.skip("no arrays of the published network beside the clips")
    with open_video(sorted((data_dir / "val").glob("*.mp4"))[0], audio=False) as video:
        frames = [frame for _, frame in zip(range(4), video.frames(), strict=False)]
        metrics, missing = resolve(["squeezenet"], squeezenet=path)
        assert not missing
        distances = [measure(metrics, video.info, [(frames[0], frame)])[0]["squeezenet"].clip for frame in frames]
    assert distances[0] == 0.0 < distances[1] < distances[3] < 14.0  # frames further away look less alike


def _damage(path: Path, kind: str) -> None:
    arrays = {name: np.zeros(shape, np.float32) for name, shape in shapes().items()}
    if kind == "nothing there":
        return
    if kind == "not a zip":
        path.write_bytes(b"numbers")
        return
    if kind == "pickled":
        arrays["conv1.b"] = np.array([print] * 64, object)
    if kind == "a name less":
        del arrays["fire9/expand3x3.w"]
    if kind == "another shape":
        arrays["conv1.w"] = np.zeros((64, 3, 5, 5), np.float32)
    if kind == "too large":
        arrays["conv1.b"] = np.zeros(1 << 20, np.float32)
    if kind == "not finite":
        arrays["conv1.b"][3] = np.nan
    np.savez_compressed(path, **arrays)
    if kind == "cut off":
        path.write_bytes(path.read_bytes()[:-100])
    if kind == "damaged inside":
        with zipfile.ZipFile(path) as archive:
            at = archive.getinfo("fire5/expand3x3.w.npy").header_offset + 90
        data = bytearray(path.read_bytes())
        data[at] ^= 0xFF
        path.write_bytes(bytes(data))


@pytest.mark.parametrize("kind", ["nothing there", "not a zip", "pickled", "a name less", "another shape", "too large",
                                  "not finite", "cut off", "damaged inside"])
def test_squeezenet_refuses_other_files(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "arrays.npz"
    _damage(path, kind)
    metrics, missing = resolve(["squeezenet"], squeezenet=path)
    assert not metrics and "does not hold the arrays of SqueezeNet 1.1" in missing[0].reason


class Network(torch.nn.Module):
    """Stands for LPIPS and DISTS: the mean difference, and a look at what it was given."""

    def __init__(self, **given: object) -> None:
        super().__init__()
        self.given = given
        print("Setting up a network")

    def forward(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        assert not torch.is_grad_enabled() or not any(p.requires_grad for p in self.parameters())
        assert a.shape == b.shape == (1, 3, 64, 80) and a.dtype == torch.float32 and not self.training
        self.low, self.high = float(a.min()), float(a.max())
        return (a - b).abs().mean().reshape(1, 1, 1, 1)


@pytest.mark.parametrize(("name", "package", "weights", "low", "step"), [
    ("lpips", "lpips", "alexnet-owt-7be5be79.pth", -1.0, 2 / 255),
    ("dists", "DISTS_pytorch", "vgg16-397923af.pth", 0.0, 1 / 255)])
def test_networks_of_others(name: str, package: str, weights: str, low: float, step: float, tmp_path: Path,
                            monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    monkeypatch.setitem(sys.modules, package, None)
    assert f"needs the Python package {package}: pip install" in resolve([name])[1][0].reason
    module = ModuleType(package)
    module.LPIPS = module.DISTS = Network  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, package, module)
    assert "weights" in resolve([name])[1][0].reason  # never downloads by itself
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / weights).touch()
    metrics, missing = resolve([name])
    assert not missing and metrics[0].better == "lower" and capsys.readouterr().out == ""
    about = info(80, 64)
    pairs = clip(about, 2)
    found = measure(metrics, about, pairs)[0][name]
    wanted = [step * np.abs(to_rgb(a, about).astype(float) - to_rgb(b, about)).mean() for a, b in pairs]
    assert found.frames == pytest.approx(wanted, rel=1e-5)
    network = metrics[0]._network  # type: ignore[attr-defined]
    pictures = to_rgb(pairs[1][0], about)
    assert network.low == pytest.approx(low + step * pictures.min(), abs=1e-5)
    assert network.high == pytest.approx(low + step * pictures.max(), abs=1e-5)


def test_a_package_that_breaks_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A package that was built for another torch does not stop a study."""
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "lpips", raising=False)
    (tmp_path / "lpips.py").write_text("raise RuntimeError('operator torchvision::nms does not exist')\n")
    assert "does not load (operator torchvision::nms does not exist)" in resolve(["lpips"])[1][0].reason
