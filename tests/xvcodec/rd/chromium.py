"""A headless Chromium driven over its debugging pipe: no driver, no socket, no package."""

from __future__ import annotations

import base64
import json
import os
import select
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

_NAMES = ("chromium", "chromium-headless-shell", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")


def find() -> str | None:
    """The program: XVC_CHROMIUM, or one of the usual names on the PATH."""
    return os.environ.get("XVC_CHROMIUM") or next(filter(None, map(shutil.which, _NAMES)), None)


class Chromium:
    """One page in one browser; use as a context manager. `log` collects exceptions, console output and requests."""

    def __init__(self, program: str, profile: Path, width: int = 1440, height: int = 900) -> None:
        self._size = width, height
        read_end, self._out = os.pipe()
        self._in, write_end = os.pipe()
        # The browser reads commands from descriptor 3 and writes answers to 4.
        script = f'exec 8<&{read_end} 9>&{write_end}; exec 3<&8 4>&9 8<&- 9>&-; exec "$@"'
        flags = ["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--remote-debugging-pipe",
                 "--disable-dev-shm-usage", "--no-first-run", f"--user-data-dir={profile}"]
        self._process = subprocess.Popen(["bash", "-c", script, "browser", program, *flags, "about:blank"],
                                         pass_fds=(read_end, write_end), stderr=subprocess.DEVNULL,
                                         stdout=subprocess.DEVNULL)
        os.close(read_end)
        os.close(write_end)
        self._buffer, self._number, self._session = b"", 0, ""
        self.log: list[str] = []
        self.requests: list[str] = []

    def __enter__(self) -> Chromium:
        try:
            self._attach()
        except BaseException:
            self.__exit__()
            raise
        return self

    def _attach(self) -> None:
        targets = self._call("Target.getTargets")["targetInfos"]
        page = next(target["targetId"] for target in targets if target["type"] == "page")
        self._session = self._call("Target.attachToTarget", targetId=page, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self._call(f"{domain}.enable")
        self.resize(*self._size)

    def __exit__(self, *_: object) -> None:
        try:
            self._session = ""
            self._call("Browser.close")
            self._process.wait(10)
        except (OSError, RuntimeError, TimeoutError, subprocess.TimeoutExpired):
            self._process.kill()
            self._process.wait()
        os.close(self._out)
        os.close(self._in)

    def resize(self, width: int, height: int, scale: float = 1.0) -> None:
        """Set the size of the window's content in CSS pixels."""
        self._call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=scale, mobile=False)

    def media(self, **features: str) -> None:
        """Emulate media features, such as prefers_color_scheme="dark"."""
        self._call("Emulation.setEmulatedMedia",
                   features=[{"name": name.replace("_", "-"), "value": value} for name, value in features.items()])

    def open(self, url: str) -> None:
        """Load a page and wait until it is ready."""
        self._call("Page.navigate", url="about:blank")
        self._call("Page.navigate", url=url)
        end = time.monotonic() + 60
        while self.run("document.readyState + location.href") != "complete" + self.run("location.href") or \
                self.run("location.protocol") == "about:":
            if time.monotonic() > end:
                raise TimeoutError(f"{url} does not load")
            time.sleep(0.05)

    def run(self, script: str) -> Any:
        """The value of a JavaScript expression; promises are awaited."""
        answer = self._call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in answer:
            raise RuntimeError(answer["exceptionDetails"]["exception"].get("description", "exception"))
        return answer["result"].get("value")

    def until(self, script: str) -> None:
        """Wait until an expression is true; a busy machine may take its time."""
        end = time.monotonic() + 60
        while not self.run(script):
            if time.monotonic() > end:
                raise TimeoutError(f"this does not become true: {script}")
            time.sleep(0.02)

    def press(self, key: str) -> None:
        """Press and release a key."""
        text = {"text": key} if len(key) == 1 else {}
        for kind in ("keyDown", "keyUp"):
            code = {"windowsVirtualKeyCode": 27} if key == "Escape" else {}
            self._call("Input.dispatchKeyEvent", type=kind, key=key, **code, **(text if kind == "keyDown" else {}))

    def mouse(self, kind: str, x: float, y: float) -> None:
        """kind: mouseMoved, mousePressed or mouseReleased."""
        button = {} if kind == "mouseMoved" else {"button": "left", "clickCount": 1}
        self._call("Input.dispatchMouseEvent", type=kind, x=x, y=y, **button)

    def screenshot(self, target: Path, whole: bool = False) -> None:
        """Write what is seen, or the whole page, as PNG."""
        options: dict[str, Any] = {"format": "png"}
        if whole:
            size = self._call("Page.getLayoutMetrics")["cssContentSize"]
            clip = {"x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1}
            options |= {"captureBeyondViewport": True, "clip": clip}
        target.write_bytes(base64.b64decode(self._call("Page.captureScreenshot", **options)["data"]))

    def _call(self, method: str, **params: Any) -> dict[str, Any]:
        self._number += 1
        session = {"sessionId": self._session} if self._session else {}
        message = {"id": self._number, "method": method, "params": params} | session
        os.write(self._out, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._receive()
            if answer.get("id") == self._number:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']['message']}")
                return answer["result"]
            self._event(answer)

    def _receive(self) -> dict[str, Any]:
        end = time.monotonic() + 60
        while b"\0" not in self._buffer:
            if not select.select([self._in], [], [], max(0.0, end - time.monotonic()))[0]:
                raise TimeoutError("the browser does not answer")
            chunk = os.read(self._in, 1 << 20)
            if not chunk:
                raise RuntimeError("the browser has ended")
            self._buffer += chunk
        message, _, self._buffer = self._buffer.partition(b"\0")
        return json.loads(message)

    def _event(self, event: dict[str, Any]) -> None:
        method, params = event.get("method"), event.get("params", {})
        if method == "Runtime.exceptionThrown":
            details = params["exceptionDetails"]
            self.log.append(details.get("exception", {}).get("description") or details["text"])
        elif method == "Runtime.consoleAPICalled":
            self.log.append(" ".join(str(item.get("value", item.get("description"))) for item in params["args"]))
        elif method == "Log.entryAdded":
            self.log.append(params["entry"]["text"])
        elif method == "Network.requestWillBeSent":
            self.requests.append(params["request"]["url"])
