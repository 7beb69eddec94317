"""Databases that refuse, go away or hold a secret. The numbers are those of docs/faults.md.

Skipped where psycopg, PostgreSQL or PostGIS is missing.
"""

from __future__ import annotations

import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import rasterio
from command_line import refused, typed
from drawn_networks import CROSSROADS, UTM, network
from postgres_server import PASSWORD, Server
from test_write_roads import OPTIONS

from georoads.errors import LayerError
from georoads.output.address import Database, output_of
from georoads.output.server import transaction
from georoads.output.write import check_road_output, write_roads

pytestmark = pytest.mark.slow

STREETS = replace(OPTIONS, layer="streets")

FOLDERS = [str(Path(__file__).parents[1] / "output"), str(Path(__file__).parents[2])]
KILLED = """
import sys, time
sys.path[:0] = sys.argv[2:]
from test_write_roads import OPTIONS
from drawn_networks import network
from georoads.output import postgis
from georoads.output.write import write_roads
from dataclasses import replace
note = postgis._note_provenance
def hold(cursor, schema, roads, *others, **named):
    note(cursor, schema, roads, *others, **named)
    if len(roads.geometry):
        print("written", flush=True)
        time.sleep(60)
postgis._note_provenance = hold
write_roads(network(), sys.argv[1], replace(OPTIONS, overwrite=True))
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no SIGKILL here")
def test_57_killed_in_mid_write_what_was_there_stays(server: Server, schema: str, address: str) -> None:
    write_roads(network(CROSSROADS[:1]), address, OPTIONS)
    command = [sys.executable, "-c", KILLED, address, *FOLDERS]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "written\n"
        process.kill()
    # waits for the lock that the server takes back from the dead
    write_roads(network(CROSSROADS[:1]), address, replace(OPTIONS, append=True))
    assert server.ask("SELECT array_agg(road_id ORDER BY road_id) FROM roads", schema=schema) == [([1, 2],)]


def test_57_the_server_goes_away(server: Server, address: str, schema: str) -> None:
    database = output_of(address)
    assert isinstance(database, Database)
    with (
        pytest.raises(LayerError, match=r"cannot be written: terminating connection") as e,
        transaction(database) as cursor,
    ):
        server.ask(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'georoads'"
        )
        cursor.execute("SELECT 1")
    assert "run again" in e.value.hint


def test_57_each_refusal_has_its_own_hint(
    server: Server, schema: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PGPASSFILE", str(tmp_path / "none"))
    server.ask("CREATE TABLE streets (a int); CREATE TABLE streets_nodes (a int)", schema=schema)
    server.ask("CREATE VIEW seen AS SELECT * FROM streets", schema=schema)
    cases = {
        server.address(user="ann"): ("asks for a password", "PGPASSWORD"),
        server.address(user="ann", password="wr0ng"): ("refuses the user or the password", "check both"),
        server.address(schema="none").replace(",public", ""): ("has no schema to write to", "CREATE SCHEMA"),
        server.address("plain"): ("has no PostGIS", "CREATE EXTENSION postgis"),
        server.address("other"): ('cannot be reached: .*"other" does not exist', "name of the database"),
        server.address(schema=schema): ("other objects depend on it", "drop the views"),
        f"postgresql:///gis?host={tmp_path}": ("cannot be reached", "whether the server runs"),
        "postgresql://127.0.0.1:1/gis": ("cannot be reached: .*refused", "whether the server runs"),
        "postgresql://h/gis?pasword=s3cr3t": ("cannot read the address", "as in"),
    }
    for address, (says, hint) in cases.items():
        with pytest.raises(LayerError, match=says) as e:
            check_road_output(address, replace(STREETS, overwrite=True))
        assert hint in e.value.hint, (address, e.value.hint)
        assert not any(secret in e.value.message + e.value.hint for secret in ("s3cr3t", "wr0ng"))


def test_57_no_rights_to_write(server: Server, schema: str, address: str) -> None:
    server.ask(f"GRANT USAGE ON SCHEMA {schema} TO ann")
    with pytest.raises(LayerError, match="permission denied for schema") as e:
        check_road_output(server.address(schema=schema, user="ann", password=PASSWORD), OPTIONS)
    assert "GRANT" in e.value.hint
    write_roads(network(), address, OPTIONS)
    for options in (replace(OPTIONS, append=True), replace(OPTIONS, overwrite=True)):
        with pytest.raises(LayerError, match=r"permission denied|must be owner") as e:
            check_road_output(server.address(schema=schema, user="ann", password=PASSWORD), options)
        assert "GRANT" in e.value.hint
    for table in ("roads", "nodes", "georoads_provenance"):
        server.ask(f"GRANT SELECT, INSERT ON {table} TO ann", schema=schema)
    as_ann = server.address(schema=schema, user="ann", password=PASSWORD)
    write_roads(network(), as_ann, replace(OPTIONS, append=True))
    assert server.ask("SELECT count(*) FROM roads", schema=schema) == [(8,)]


@pytest.fixture
def mask(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A crossroads, in the current folder."""
    roads = np.zeros((150, 150), np.uint8)
    roads[73:78, 10:140] = roads[10:140, 73:78] = 255
    profile = {"driver": "GTiff", "width": 150, "height": 150, "count": 1, "dtype": "uint8"}
    with rasterio.open(tmp_path / "m.tif", "w", **profile, crs=UTM.crs, transform=UTM.transform) as out:
        out.write(roads, 1)
    monkeypatch.chdir(tmp_path)
    return tmp_path / "m.tif"


def test_58_the_password_is_nowhere(server: Server, schema: str, mask: Path) -> None:
    server.ask(f"GRANT ALL ON SCHEMA {schema} TO ann")
    address = server.address(schema=schema, user="ann", password=PASSWORD)
    command = ("vectorize", mask, "-o", address, "--json", "figures.json")
    ended = typed(*command)
    assert ended.code == 0, ended
    again = refused(*command, says="postgresql://ann@/gis has a table 'nodes'", hint="--overwrite")
    wrong = address.replace("s3cr3t", "wr0ng")
    third = refused("vectorize", mask, "-o", wrong, says="password authentication failed", hint="check both")
    fourth = refused(*command, "--preview", "a.png", "--overwrite", says="drawn from files", hint=".gpkg")
    stored = server.ask("SELECT provenance::text FROM georoads_provenance", schema=schema)
    files = [p.read_bytes().decode("latin-1") for p in mask.parent.rglob("*") if p.is_file()]
    assert sorted(p.name for p in mask.parent.iterdir()) == ["figures.json", "m.tif"]
    printed = [text for e in (ended, again, third, fourth) for text in (e.out, e.err)]
    for reader in ("view", "info"):  # these take files only
        printed.append(typed(reader, address, *(("-o", "a.html") if reader == "view" else ())).err)
    printed.append(typed("predict", mask, "-o", address).err)
    assert all("postgresql:/ann:…@/gis" in text for text in printed[-3:])
    for text in (*printed, *files, str(stored), repr(output_of(address)), str(output_of(address))):
        assert not any(secret in text for secret in ("s3cr3t", "wr0ng", PASSWORD))
    assert "postgresql://ann@/gis: 4 roads" in ended.err
    assert server.ask("SELECT count(*) FROM roads", schema=schema) == [(4,)]


def test_57_extract_keeps_its_work_under_database_and_layer(
    server: Server, schema: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the write is refused, the work is kept, and a second run goes on with it."""
    profile = {"driver": "GTiff", "width": 96, "height": 96, "count": 3, "dtype": "uint8"}
    with rasterio.open(tmp_path / "s.tif", "w", **profile, crs=UTM.crs, transform=UTM.transform) as out:
        out.write(np.random.default_rng(1).integers(1, 255, (3, 96, 96), np.uint8))
    monkeypatch.chdir(tmp_path)
    address = server.address(schema=schema, user="ann", password=PASSWORD)
    server.ask(f"GRANT ALL ON SCHEMA {schema} TO ann")
    command = ("extract", "s.tif", "-o", address, "--layer", "streets", "-q")

    def fails(*_: object) -> None:
        raise LayerError("the server is gone", "run again")

    with monkeypatch.context() as patched:
        patched.setattr("georoads.output.write.write_database", fails)
        refused(*command, says="the server is gone")
    work = tmp_path / "gis.streets.postgis.work"
    assert (work / "ledger.jsonl").is_file()
    for path in work.rglob("*"):
        assert path.is_dir() or b"s3cr3t" not in path.read_bytes()
    refused(*command, says="gis.streets.postgis.work holds the work", hint="--resume")
    assert typed(*command, "--resume").code == 0
    assert not work.exists()
    assert server.ask("SELECT count(*) >= 0 FROM streets_nodes", schema=schema) == [(True,)]


def test_58_the_password_need_not_be_typed(
    server: Server, schema: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.ask(f"GRANT ALL ON SCHEMA {schema} TO ann")
    address = server.address(schema=schema, user="ann")
    file = tmp_path / "pgpass"
    monkeypatch.setenv("PGPASSFILE", str(file))
    with pytest.raises(LayerError, match="asks for a password"):
        check_road_output(address, OPTIONS)
    file.write_text(f"*:*:gis:ann:{PASSWORD}\n", encoding="utf-8")
    file.chmod(0o600)
    check_road_output(address, OPTIONS)
    file.unlink()
    monkeypatch.setenv("PGPASSWORD", PASSWORD)
    check_road_output(address, OPTIONS)
