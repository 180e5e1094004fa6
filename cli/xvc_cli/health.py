"""The checks of `xvc doctor`. Each says what it found, and what to do when that is not what it should be."""

from __future__ import annotations

import base64
import hashlib
import importlib
import importlib.metadata
import os
import platform
import re
import shutil
import sys
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Literal

# What nothing works without: package and module.
_PACKAGES = {
    "torch": "torch",
    "av": "av",
    "numpy": "numpy",
    "constriction": "constriction",
    "zstandard": "zstandard",
    "safetensors": "safetensors",
    "webvtt-py": "webvtt",
    "click": "click",
}
_HASHED = re.compile(r"-([0-9a-f]{8})\.[a-z]+$")
# An ONNX graph of one Identity node on a float, which shows whether a provider can run anything at all.
_IDENTITY = base64.b64decode("CAg6NwoQCgF4EgF5IghJZGVudGl0eRIBZ1oPCgF4EgoKCAgBEgQKAggBYg8KAXkSCgoICAESBAoCCAFCBAoAEBE=")


@dataclass(frozen=True)
class Check:
    """One line of the report."""

    name: str
    state: Literal["ok", "warn", "broken"]  # warn: something optional is missing
    found: str
    fix: str = ""


def examine() -> list[Check]:
    """Run all checks; a check that fails in an unforeseen way is reported, not raised."""
    groups: tuple[Callable[[], Iterator[Check]], ...] = (
        _python, _packages, _encoders, _torchac, _processor, _cuda, _onnxruntime, _weights,
    )  # fmt: skip
    checks = []
    for group in groups:
        try:
            checks += list(group())
        except Exception as error:
            name = group.__name__.removeprefix("_")
            checks.append(Check(name, "warn", f"the check failed ({type(error).__name__}: {error})"))
    return checks


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _python() -> Iterator[Check]:
    good = sys.version_info >= (3, 11)
    found = f"{platform.python_version()} on {platform.system()} {platform.machine()}"
    yield Check("python", "ok" if good else "broken", found, "" if good else "install Python 3.11 or newer")


def _packages() -> Iterator[Check]:
    for package, module in _PACKAGES.items():
        try:
            importlib.import_module(module)
            yield Check(package, "ok", _version(package) or "installed")
        except Exception as error:
            yield Check(package, "broken", f"cannot be imported ({error})", f"pip install {package}")


def _encoders() -> Iterator[Check]:
    import av

    missing = [name for name in ("libx264", "libvpx-vp9", "ffv1") if name not in av.codecs_available]
    fix = "pip install --force-reinstall av (the wheel from the package index has them)" if missing else ""
    found = f"without {', '.join(missing)}" if missing else "libx264, libvpx-vp9, ffv1"
    yield Check("video encoders", "warn" if missing else "ok", found, fix)


def _torchac() -> Iterator[Check]:
    from xvc_bitstream.coders.torchac_build import cache_folder

    name = "torchac (optional)"
    version = _version("torchac")
    if version is None:
        yield Check(name, "warn", "not installed", "pip install torchac, or keep to --coder constriction")
        return
    if (cache_folder() / "complete").exists():
        yield Check(name, "ok", f"{version}, built")
        return
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
    compiler = os.environ.get("CXX", "c++").split()[0]
    missing = [tool for tool in (compiler, "ninja") if shutil.which(tool, path=path) is None]
    if missing:
        fix = "apt install g++ and pip install ninja, or keep to --coder constriction"
        yield Check(name, "warn", f"{version}, cannot be built without {' and '.join(missing)}", fix)
    else:
        yield Check(name, "ok", f"{version}, will be built when first used ({compiler} and ninja are there)")


def _processor() -> Iterator[Check]:
    import torch

    flags = set(re.findall(r"\b(?:amx_bf16|avx512_bf16|avx512f|avx2)\b", _cpuinfo()))
    fast = flags & {"amx_bf16", "avx512_bf16"}
    how = f"bfloat16 through {' and '.join(sorted(fast))}" if fast else "float32 (no bfloat16 instructions)"
    yield Check("processor", "ok", f"{os.cpu_count()} cores, torch uses {torch.get_num_threads()} threads, {how}")


def _cpuinfo() -> str:
    try:
        return Path("/proc/cpuinfo").read_text(encoding="ascii", errors="replace")[:100_000]
    except OSError:
        return ""


def _cuda() -> Iterator[Check]:
    import torch

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch narrates missing drivers
        there = torch.cuda.is_available()
    if there:
        names = ", ".join(torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count()))
        yield Check("CUDA in torch", "ok", f"{torch.version.cuda}: {names}")
    elif torch.version.cuda is None:
        yield Check("CUDA in torch", "ok", "none: this torch is built for the CPU")
    else:
        found = f"built for CUDA {torch.version.cuda}, but no device works"
        yield Check("CUDA in torch", "warn", found, "check nvidia-smi and the driver's version, if there is a GPU")


def _onnxruntime() -> Iterator[Check]:
    installed = [name for name in ("onnxruntime", "onnxruntime-gpu") if _version(name)]
    if not installed:
        yield Check("onnxruntime", "warn", "not installed; torch does it all", "pip install 'xvc[cpu]' or 'xvc[gpu]'")
        return
    if len(installed) > 1:
        fix = "pip uninstall -y onnxruntime onnxruntime-gpu, then pip install 'xvc[gpu]' or 'xvc[cpu]'"
        yield Check("onnxruntime", "warn", "two builds are installed over each other", fix)
    import onnxruntime as ort

    if hasattr(ort, "preload_dlls") and "onnxruntime-gpu" in installed:
        ort.preload_dlls()
    works = _runs("CPUExecutionProvider")
    state: Literal["ok", "warn"] = "ok" if works else "warn"
    yield Check("onnxruntime", state, f"{installed[-1]} {ort.__version__}", "" if works else "install it again")
    if "CUDAExecutionProvider" not in ort.get_available_providers():
        yield Check("CUDA in onnxruntime", "ok", "none: this build is for the CPU")
    elif _runs("CUDAExecutionProvider"):
        yield Check("CUDA in onnxruntime", "ok", "works")
    else:
        fix = "pip install 'onnxruntime-gpu[cuda,cudnn]', with the CUDA version that torch has"
        yield Check("CUDA in onnxruntime", "warn", "listed, but its libraries do not load", fix)


def _runs(provider: str) -> bool:
    """Whether onnxruntime really uses `provider`; it falls back to the CPU with only a line in its log."""
    import numpy as np
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.log_severity_level = 4
    try:
        session = ort.InferenceSession(_IDENTITY, options, providers=[provider])
        (result,) = session.run(None, {"x": np.ones(1, np.float32)})
        return session.get_providers()[0] == provider and bool(result[0] == 1)
    except Exception:
        return False


def _weights() -> Iterator[Check]:
    found = sorted((item for item in files("xvcodec").joinpath("weights").iterdir()), key=lambda item: item.name)
    hashed = [(item, match[1]) for item in found if (match := _HASHED.search(item.name))]
    wrong = [item.name for item, digits in hashed if hashlib.sha256(item.read_bytes()).hexdigest()[:8] != digits]
    size = sum(len(item.read_bytes()) for item, _ in hashed)
    if wrong or not hashed:
        what = f"damaged: {', '.join(wrong)}" if wrong else "none are there"
        yield Check("weights", "broken", what, "install xvc again")
    else:
        yield Check("weights", "ok", f"{len(hashed)} files, {size / 1e6:.1f} MB, hashes match")
