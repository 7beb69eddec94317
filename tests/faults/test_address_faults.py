"""Imagery by address that goes wrong. The numbers are those of docs/faults.md."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import rasterio
from command_line import refused, typed, unchanged
from web_map import COL, ROW, WebMap, drawn
from web_server import Reply, Request, serving

WORLD = WebMap(drawn())
AREA = WORLD.bounds(0.2, 3.8, 2.8, 1.2)
"""Columns 0 to 2 and rows 1 to 3 of the drawn piece."""
FAST = ("--set", "remote.pause_s=0.01", "--set", "remote.attempts=2", "--set", "remote.margin_m=0")
BAD = f"/18/{COL + 2}/{ROW + 3}.png"


def no(address: str, folder: Path, *more: str, says: str, hint: str = "", area: str = AREA) -> None:
    """fetch refuses an address; but for what has come, nothing is written."""
    refused(
        "fetch", address, "-o", folder / "s.tif", *(("--aoi", area) if area else ()), *FAST, *more,
        says=says, hint=hint,
    )  # fmt: skip
    assert not (folder / "s.tif").exists()


def test_102_addresses_that_name_nothing_or_too_much(tmp_path: Path) -> None:
    with serving(WORLD.answer) as server, unchanged(tmp_path):
        tiles = server.url + "/{z}/{x}/{y}.png"
        no(server.url + "/{z}/{x}.png", tmp_path, says="does not say where a tile is", hint="{x}")
        no(server.url + "/{t}/{z}/{x}/{y}.png", tmp_path, says="{t} is not known")
        no(server.url + "/${NO_KEY}/{q}.png", tmp_path, says="${NO_KEY}, which is not set", hint="export")
        no(tiles, tmp_path, says="more than can be fetched", hint="--aoi", area="")
        no(
            tiles,
            tmp_path,
            says="tiles at this level, more than 20,000",
            hint="max_tiles",
            area="10,45,12,47",
        )
        no(tiles, tmp_path, says="beyond what web maps show", hint="85°", area="10,86,12,87")
        assert not server.asked
        no(tiles, tmp_path, "--set", "remote.max_mb=0.1", says="MB are needed, more than", hint="max_mb")
    with serving(WORLD.answer) as server:
        no(
            server.url + "/{z}/{x}/{y}.png",
            tmp_path,
            "--zoom",
            "12",
            says="none of the 1 tiles",
            hint="--zoom",
        )


@pytest.mark.parametrize(
    ("reply", "says"),
    [
        (
            Reply(b"<html>quota</html>", headers={"Content-Type": "image/png"}),
            "it begins '<html>quota</html>'",
        ),
        (Reply(b"", 500), "answered 500 (2 attempts)"),
        (Reply(raw=lambda wfile: time.sleep(1)), "took longer than 0.3 s"),
        (Reply(b"", 302, {"Location": "file:///etc/passwd"}), "redirected to what is no web address"),
    ],
)
def test_103_a_server_that_fails_in_the_middle(reply: Reply, says: str, tmp_path: Path) -> None:
    """Missing tiles are no data; whatever else a server does, nothing is made of a part."""
    is_bad = True

    def answer(request: Request) -> Reply:
        if request.path == f"/18/{COL}/{ROW + 1}.png":
            return Reply(b"", 404)
        return reply if is_bad and request.path == BAD else WORLD.answer(request)

    with serving(answer) as server:
        tiles = server.url + "/{z}/{x}/{y}.png"
        no(tiles, tmp_path, "--set", "remote.timeout_s=0.3", says=says)
        is_bad = False
        done = typed("fetch", tiles, "-o", tmp_path / "s.tif", "--aoi", AREA, *FAST, "--resume")
        assert done.code == 0, done.err
    assert "1 of 9 tiles are missing at the server" in done.err
    with rasterio.open(tmp_path / "s.tif") as made:
        rgb, alpha = made.read([1, 2, 3]), made.read(4)
    assert not alpha[:256, :256].any() and (alpha[256:] == 255).all()
    assert (rgb[:, 256:] == WORLD.rgb[:, 512:, :768]).all()


def test_104_servers_that_are_not_where_they_should_be(tmp_path: Path) -> None:
    asset = b'{"href": "http://169.254.169.254/a.tif", "type": "image/tiff"}'
    item = b'{"type": "Feature", "assets": {"a": ' + asset + b"}}"
    with serving(lambda r: Reply(item)) as server, unchanged(tmp_path):
        no(f"{server.url}/item", tmp_path, says="private network", hint="remote.private")
        no(f"http://2130706433:{server.port}/a.tif", tmp_path, says="private network")
        no("http://nowhere.invalid/a.tif", tmp_path, says="cannot be resolved")
        no(f"https://127.0.0.1:{server.port}/a.tif", tmp_path, says="does not speak TLS as it should")


def test_105_services_that_say_what_they_should_not(tmp_path: Path) -> None:
    bomb = b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><WMS_Capabilities>&x;</WMS_Capabilities>'
    with serving(lambda r: Reply(bomb)) as server, unchanged(tmp_path):
        for service in ("WMS", "WMTS"):
            no(f"{server.url}/x?service={service}&layers=a", tmp_path, says="defines entities")
    with serving(lambda r: Reply(b"<Capabilities/>")) as server, unchanged(tmp_path):
        for service in ("WMS", "WMTS"):
            no(f"{server.url}/x?service={service}&layers=a", tmp_path, says="there is no layer 'a'")


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL")
def test_106_a_fetch_that_is_killed_goes_on(tmp_path: Path) -> None:
    """What had come is not asked for again, and the file is that of an undisturbed fetch."""
    is_slow = True

    def answer(request: Request) -> Reply:
        if is_slow and request.path.endswith(f"/{ROW + 3}.png"):
            time.sleep(60)
        return WORLD.answer(request)

    arguments = ["--aoi", AREA, *FAST, "-o", str(tmp_path / "s.tif")]
    with serving(answer) as server:
        command = [sys.executable, "-m", "georoads", "fetch", server.url + "/{z}/{x}/{y}.png", *arguments]
        running = subprocess.Popen(command, stderr=subprocess.PIPE)
        ledger = tmp_path / "s.tif.work" / "ledger.jsonl"
        for _ in range(600):
            if (ledger.is_file() and "pieces" in ledger.read_text()) or running.poll() is not None:
                break
            time.sleep(0.1)
        running.send_signal(signal.SIGKILL)
        running.wait(20)
        if running.stderr is not None:
            running.stderr.close()
        is_slow, before = False, len(server.asked)
        done = typed("fetch", *command[4:], "--resume")
        assert done.code == 0, done.err
        assert len(server.asked) - before < 9
        whole = typed("fetch", command[4], *arguments[:-1], tmp_path / "whole.tif")
    assert whole.code == 0, whole.err
    assert (tmp_path / "s.tif").read_bytes() == (tmp_path / "whole.tif").read_bytes()
