"""Headless Chromium for tests, spoken to by its DevTools protocol: no driver and no other library is needed."""

import asyncio
import base64
import contextlib
import json
import shutil
import subprocess
import tempfile
from pathlib import Path

import aiohttp
import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def find_chromium():
    """Path of a Chromium; skips the test where there is none."""
    found = next((path for name in NAMES if (path := shutil.which(name))), None)
    if found is None:
        pytest.skip(f"no Chromium: none of {', '.join(NAMES)} is installed")
    return found


class Page:
    """One tab."""

    def __init__(self, socket):
        self._socket, self._next, self._answers = socket, 0, {}
        self._task = asyncio.create_task(self._listen())
        self.errors = []

    async def _listen(self):
        async for message in self._socket:
            content = json.loads(message.data)
            if "id" in content:
                self._answers.pop(content["id"]).set_result(content)
            elif content["method"] == "Runtime.exceptionThrown":
                self.errors.append(content["params"]["exceptionDetails"].get("exception", {}).get("description", "?"))

    async def send(self, method, **parameters):
        self._next += 1
        answer = self._answers[self._next] = asyncio.get_running_loop().create_future()
        await self._socket.send_json({"id": self._next, "method": method, "params": parameters})
        content = await asyncio.wait_for(answer, 120)
        assert "error" not in content, content
        return content["result"]

    async def look(self, *, width=1440, height=1000, dark=False, is_phone=False):
        """As a screen of this size, in a light or dark world."""
        await self.send(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, mobile=is_phone,
            deviceScaleFactor=2 if is_phone else 1,
        )  # fmt: skip
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        await self.send("Emulation.setEmulatedMedia", features=[scheme])

    async def open(self, url):
        await self.send("Page.navigate", url=url)
        await self.until("document.readyState === 'complete'")

    async def value(self, expression):
        """What an expression of JavaScript gives."""
        found = await self.send("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    async def until(self, expression, within_s=120.0):
        """Wait until an expression is true."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                while not await self.value(f"!!({expression})"):
                    await asyncio.sleep(0.05)
                return
        raise AssertionError(f"never true: {expression}\n{await self.value('document.body.innerText.slice(0, 2000)')}")

    async def click(self, selector):
        """A real click in the middle of what is found first, once it has stopped moving and nothing lies over it."""
        await self.until(f"document.querySelector({json.dumps(selector)})")
        before = None
        async with asyncio.timeout(120):
            while True:
                box = await self.value(
                    f"(() => {{ const one = document.querySelector({json.dumps(selector)}); if (!one) return null;"
                    " const r = one.getBoundingClientRect(), x = r.x + r.width / 2, y = r.y + r.height / 2;"
                    " const top = document.elementFromPoint(x, y);"
                    " return top && (one.contains(top) || top.contains(one)) ? [x, y] : null; })()"
                )
                if box is not None and box == before:
                    break
                before = box
                await asyncio.sleep(0.1)
        for kind in ("mousePressed", "mouseReleased"):
            await self.send(
                "Input.dispatchMouseEvent", type=kind, x=box[0], y=box[1], button="left", clickCount=1
            )  # fmt: skip

    async def type(self, selector, text, *, replaces=False):
        """Click into a field and type; `replaces` what stands there."""
        await self.click(selector)
        await self.until(f"document.activeElement === document.querySelector({json.dumps(selector)})")
        if replaces:
            await self.value("document.activeElement.select()")
        await self.send("Input.insertText", text=text)

    async def picture(self, path: Path, *, whole=False):
        """A screenshot as PNG."""
        options = {"captureBeyondViewport": whole}
        if whole:
            size = (await self.send("Page.getLayoutMetrics"))["cssContentSize"]
            options["clip"] = {"x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1}
        found = await self.send("Page.captureScreenshot", format="png", **options)
        path.write_bytes(base64.b64decode(found["data"]))
        return path

    async def close(self):
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)


@contextlib.asynccontextmanager
async def chromium():
    """A tab of a new browser with a profile of its own."""
    program = find_chromium()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        process = subprocess.Popen(
            [program, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
             "--no-first-run", "--disable-extensions", "--disable-background-networking", "--hide-scrollbars",
             "--remote-debugging-port=0", f"--user-data-dir={profile}", "about:blank"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            port = await _port(Path(profile) / "DevToolsActivePort")
            async with aiohttp.ClientSession() as session:
                async with session.get(f"http://127.0.0.1:{port}/json/list") as answer:
                    tabs = await answer.json(content_type=None)
                url = next(tab["webSocketDebuggerUrl"] for tab in tabs if tab["type"] == "page")
                async with session.ws_connect(url, max_msg_size=0) as socket:
                    page = Page(socket)
                    await page.send("Page.enable")
                    await page.send("Runtime.enable")
                    try:
                        yield page
                    finally:
                        await page.close()
        finally:
            process.terminate()
            process.wait(30)


async def _port(path):
    for _ in range(2_400):
        if path.exists() and path.read_text().strip():
            return int(path.read_text().splitlines()[0])
        await asyncio.sleep(0.05)
    raise AssertionError("Chromium does not open its DevTools")
