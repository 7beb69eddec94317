"""A page in headless Chromium, driven through the DevTools protocol over a pipe; standard library only."""

from __future__ import annotations

import base64
import json
import os
import select
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
# Chromium reads commands from descriptor 3 and answers on 4, which Popen cannot choose.
_AT_3_AND_4 = (
    "import os, sys; from fcntl import F_DUPFD, fcntl; "
    "a, b = (fcntl(int(n), F_DUPFD, 10) for n in sys.argv[1:3]); "
    "os.dup2(a, 3); os.dup2(b, 4); os.execv(sys.argv[3], sys.argv[3:])"
)
_FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
    "--hide-scrollbars", "--remote-debugging-pipe",
)  # fmt: skip


class Browser:
    """One browser with one page; used as a context."""

    def __init__(self, width: int = 1200, height: int = 800, timeout_s: float = 60.0) -> None:
        self.events: list[dict[str, Any]] = []
        self._size = width, height
        self._timeout_s = timeout_s
        self._number = 0
        self._rest = b""

    def __enter__(self) -> Browser:
        assert BROWSER is not None
        commands, self._out = os.pipe()
        self._in, answers = os.pipe()
        self._home = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        size = f"--window-size={self._size[0]},{self._size[1]}"
        self._process = subprocess.Popen(
            [sys.executable, "-c", _AT_3_AND_4, str(commands), str(answers), BROWSER, *_FLAGS, size,
             f"--user-data-dir={self._home.name}", "about:blank"],
            pass_fds=(commands, answers), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        os.close(commands)
        os.close(answers)
        self._session = ""
        targets = self.do("Target.getTargets")["targetInfos"]
        page = next(t["targetId"] for t in targets if t["type"] == "page")
        self._session = self.do("Target.attachToTarget", targetId=page, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.do(f"{domain}.enable")
        self.resize(*self._size)
        return self

    def __exit__(self, *error: object) -> None:
        self._session = ""
        try:
            self.do("Browser.close")
            self._process.wait(10)
        except (OSError, subprocess.TimeoutExpired):
            self._process.kill()
            self._process.wait()
        os.close(self._in)
        os.close(self._out)
        self._home.cleanup()

    def do(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Send a command and wait for its answer; what is told meanwhile goes to ``events``."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._out, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._next()
            if answer.get("id") == self._number:
                assert "error" not in answer, answer["error"]
                return dict(answer["result"])
            self.events.append(answer)

    def _next(self) -> dict[str, Any]:
        until = time.monotonic() + self._timeout_s
        while b"\0" not in self._rest:
            if not select.select([self._in], [], [], max(0.0, until - time.monotonic()))[0]:
                raise OSError("the browser does not answer")
            part = os.read(self._in, 1 << 20)
            if not part:
                raise OSError("the browser has gone")
            self._rest += part
        message, _, self._rest = self._rest.partition(b"\0")
        return dict(json.loads(message))

    def open(self, page: Path) -> None:
        """Load a file and wait until its map is drawn."""
        self.do("Page.navigate", url=page.as_uri())
        self.settle()

    def resize(self, width: int, height: int) -> None:
        """Give the window this size."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.do("Emulation.setDeviceMetricsOverride", **size)

    def settle(self) -> None:
        """Wait until the map is drawn."""
        self.until("document.readyState === 'complete' && document.getElementById('map')"
                   ".getAttribute('aria-busy') === 'false'")  # fmt: skip

    def until(self, condition: str) -> None:
        """Wait until an expression is true."""
        until = time.monotonic() + self._timeout_s
        while not self.value(f"Boolean({condition})"):
            assert time.monotonic() < until, f"never: {condition}"
            time.sleep(0.01)

    def value(self, expression: str) -> Any:
        """What an expression gives in the page; promises are waited for."""
        found = self.do("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    def mouse(self, kind: str, x: float, y: float, **more: Any) -> None:
        """A mouse event: mouseMoved, mousePressed, mouseReleased or mouseWheel."""
        self.do("Input.dispatchMouseEvent", type=kind, x=x, y=y, **more)

    def click(self, x: float, y: float) -> None:
        """Move there and click."""
        self.mouse("mouseMoved", x, y)
        for kind in ("mousePressed", "mouseReleased"):
            self.mouse(kind, x, y, button="left", clickCount=1)

    def drag(self, start: tuple[float, float], end: tuple[float, float]) -> None:
        """Press at a place, move to another one, let go."""
        self.mouse("mousePressed", *start, button="left", clickCount=1)
        for share in (0.5, 1.0):
            x, y = (a + share * (b - a) for a, b in zip(start, end, strict=True))
            self.mouse("mouseMoved", x, y, button="left", buttons=1)
        self.mouse("mouseReleased", *end, button="left", clickCount=1)
        self.settle()

    def key(self, name: str) -> None:
        """Press a key."""
        text = {"text": name} if len(name) == 1 else {}
        self.do("Input.dispatchKeyEvent", type="keyDown", key=name, **text)
        self.do("Input.dispatchKeyEvent", type="keyUp", key=name)

    def text(self, selector: str) -> str:
        """The text of an element."""
        return str(self.value(f"document.querySelector({json.dumps(selector)}).innerText"))

    def screenshot(self) -> bytes:
        """The window as PNG."""
        return base64.b64decode(self.do("Page.captureScreenshot", format="png")["data"])

    def complaints(self) -> list[str]:
        """What the page reported: errors, and requests beyond itself."""
        found = []
        for event in self.events:
            parameters = event.get("params", {})
            if event.get("method") == "Log.entryAdded":
                found.append(str(parameters["entry"]["text"]))
            elif event.get("method") == "Runtime.exceptionThrown":
                found.append(str(parameters["exceptionDetails"]))
            elif event.get("method") == "Network.requestWillBeSent":
                url = str(parameters["request"]["url"])
                if not url.startswith(("data:", "file:", "blob:")) or url.count("file:") > 1:
                    found.append(url)
        return found
