"""Road layers in PostGIS, on a server of the test's own; skipped where PostgreSQL or PostGIS is missing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from drawn_networks import CROSSROADS, UTM, network
from postgres_server import Server
from test_write_roads import OPTIONS, read

from georoads.errors import GeoroadsError, LayerError
from georoads.network.types import RoadNetwork
from georoads.output import postgis
from georoads.output.dictionary import LAYERS
from georoads.output.write import check_road_output, write_roads

pytestmark = pytest.mark.slow

STREETS = replace(OPTIONS, layer="streets")
EMPTY = network(())


def rows(server: Server, schema: str, table: str, key: str) -> list[tuple[Any, ...]]:
    """All rows in the order of their key, geometries as WKT."""
    names = server.ask(
        f"SELECT column_name FROM information_schema.columns WHERE table_schema = '{schema}' "
        f"AND table_name = '{table}' ORDER BY ordinal_position"
    )
    columns = [f'"{name}"' for (name,) in names if name != "geom"]
    query = f"SELECT {', '.join(columns)}, st_astext(geom, 3) FROM {table} ORDER BY {key}"
    return server.ask(query, schema=schema)


def tables(server: Server, schema: str) -> list[str]:
    query = f"SELECT relname FROM pg_class WHERE relnamespace = '{schema}'::regnamespace AND relkind = 'r'"
    return sorted(name for (name,) in server.ask(query))


@pytest.mark.parametrize("drawn", [network(), EMPTY], ids=["full", "empty"])
def test_rows_are_those_of_the_geopackage(
    server: Server, schema: str, address: str, tmp_path: Path, drawn: RoadNetwork
) -> None:
    write_roads(drawn, address, STREETS)
    path = tmp_path / "a.gpkg"
    write_roads(drawn, path, STREETS)
    for table, key in (("streets", "road_id"), ("streets_nodes", "node_id")):
        columns, shapes = read(path, table)
        as_postgis = [shape.replace(" (", "(").replace(", ", ",") for shape in shapes]
        expected = list(zip(*columns.values(), as_postgis, strict=True))
        assert rows(server, schema, table, key) == expected


def test_columns_keys_index_and_comments(server: Server, schema: str, address: str) -> None:
    write_roads(network(), address, OPTIONS)
    types = {"int64": "bigint", "int32": "integer", "float64": "double precision", "text": "text"}
    assert tables(server, schema) == ["georoads_provenance", "nodes", "roads"]
    for layer in LAYERS:
        found = server.ask(
            "SELECT attname, format_type(atttypid, atttypmod), col_description(attrelid, attnum) "
            f"FROM pg_attribute WHERE attrelid = '{schema}.{layer.name}'::regclass AND attnum > 0 "
            "ORDER BY attnum"
        )
        shape = ("geom", f"geometry({layer.geometry},32632)")
        assert [row[:2] for row in found] == [*((f.name, types[f.type]) for f in layer.fields), shape]
        for field, row in zip(layer.fields, found, strict=False):
            assert row[2].startswith(f"{field.title}: {field.description}")
        indexes = server.ask(
            f"SELECT indexdef FROM pg_indexes WHERE schemaname = '{schema}' AND tablename = '{layer.name}'"
        )
        assert sum("USING gist (geom)" in i for (i,) in indexes) == 1
        assert sum(f"UNIQUE INDEX {layer.name}_pkey" in i for (i,) in indexes) == 1
    ((note, first, last),) = server.ask(
        "SELECT provenance->>'model', first_road, last_road FROM georoads_provenance", schema=schema
    )
    assert (note, first, last) == ("drawn", 1, 4)


def test_tables_that_exist_are_refused_replaced_or_appended_to(
    server: Server, schema: str, address: str
) -> None:
    write_roads(network(), address, OPTIONS)
    once = rows(server, schema, "roads", "road_id"), rows(server, schema, "nodes", "node_id")
    for check in (check_road_output, lambda a, o: write_roads(EMPTY, a, o)):
        with pytest.raises(LayerError, match=r"has a table 'nodes' in the schema 'test\d+' already") as e:
            check(address, OPTIONS)
        assert "--overwrite" in e.value.hint and "--append" in e.value.hint
    write_roads(network(CROSSROADS[1:]), address, replace(OPTIONS, overwrite=True))
    write_roads(network(), address, replace(OPTIONS, overwrite=True))
    assert (rows(server, schema, "roads", "road_id"), rows(server, schema, "nodes", "node_id")) == once
    write_roads(network(), address, replace(OPTIONS, append=True))
    notes = server.ask("SELECT first_road, last_road FROM georoads_provenance ORDER BY 1", schema=schema)
    assert notes == [(1, 4), (5, 8)]
    roads, nodes = rows(server, schema, "roads", "road_id"), rows(server, schema, "nodes", "node_id")
    assert (roads[:4], nodes[:5]) == once
    assert [row[0] for row in roads[4:]] == [5, 6, 7, 8] and [row[0] for row in nodes[5:]] == [6, 7, 8, 9, 10]
    assert [row[7:9] for row in roads[4:]] == [(f + 5, t + 5) for f, t in (r[7:9] for r in once[0])]
    lost = server.ask(
        "SELECT count(*) FROM roads r JOIN nodes n ON n.node_id = r.from_node "
        "WHERE NOT st_dwithin(n.geom, st_startpoint(r.geom), 0)",
        schema=schema,
    )
    assert lost == [(0,)]


def test_append_makes_the_tables_where_there_are_none(server: Server, address: str) -> None:
    write_roads(network(), address, replace(STREETS, append=True))
    with pytest.raises(LayerError, match="'streets'"):
        check_road_output(address, STREETS)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ("ALTER TABLE roads DROP COLUMN width_m", "'width_m' of the table 'roads' is missing"),
        ("ALTER TABLE nodes ALTER degree TYPE bigint", "'degree' of the table 'nodes' is bigint, integer is"),
        (
            "ALTER TABLE roads ALTER geom TYPE geometry(LineString, 4326) USING st_transform(geom, 4326)",
            r"'geom' of the table 'roads' is geometry\(LineString,4326\)",
        ),
        ("DROP TABLE nodes", "has only one of the tables 'roads' and 'nodes'"),
        ("DROP TABLE nodes; CREATE VIEW nodes AS SELECT 1", "'nodes' in the schema .* is no table"),
    ],
)
def test_append_to_tables_that_do_not_fit(
    server: Server, schema: str, address: str, change: str, says: str
) -> None:
    write_roads(network(), address, OPTIONS)
    for statement in change.split(";"):
        server.ask(statement, schema=schema)
    with pytest.raises(LayerError, match=says):
        check_road_output(address, replace(OPTIONS, append=True, crs="EPSG:32632"))
    assert server.ask("SELECT count(*) FROM roads", schema=schema) == [(4,)]


def test_more_columns_do_no_harm(server: Server, schema: str, address: str) -> None:
    write_roads(network(), address, OPTIONS)
    server.ask("ALTER TABLE roads ADD seen date", schema=schema)
    write_roads(network(), address, replace(OPTIONS, append=True))
    assert server.ask("SELECT count(*) FROM roads", schema=schema) == [(8,)]


def test_a_failure_after_the_first_table_leaves_nothing(
    server: Server, schema: str, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = postgis._copy_rows

    def fails_later(cursor: Any, schema: str, table: Any) -> None:
        if table.layer.name == "nodes" and len(table.geometry):
            raise RuntimeError("the second table")
        copy(cursor, schema, table)

    monkeypatch.setattr(postgis, "_copy_rows", fails_later)
    with pytest.raises(RuntimeError, match="the second table"):
        write_roads(network(), address, OPTIONS)
    assert tables(server, schema) == []


def test_tables_that_another_program_holds(
    server: Server, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import psycopg

    write_roads(network(), address, OPTIONS)
    monkeypatch.setattr(postgis, "_LOCK", "50ms")
    with psycopg.connect(address) as reader:
        reader.execute("SELECT * FROM roads")
        with pytest.raises(LayerError, match="lock timeout") as e:
            write_roads(network(), address, replace(OPTIONS, overwrite=True))
    assert "close the program" in e.value.hint


def test_a_crs_without_a_number_is_refused(address: str) -> None:
    lambert = "+proj=laea +lat_0=47 +lon_0=9 +datum=WGS84 +units=m"
    for act in (
        lambda: check_road_output(address, replace(OPTIONS, crs=lambert)),
        lambda: write_roads(network(grid=replace(UTM, crs=lambert)), address, OPTIONS),
    ):
        with pytest.raises(LayerError, match="has no EPSG code") as e:
            act()
        assert ".gpkg" in e.value.hint


def test_without_psycopg_the_way_out_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("georoads.extras.find_spec", lambda name: None)
    with pytest.raises(GeoroadsError, match="needs psycopg") as e:
        check_road_output("postgresql://h/gis", OPTIONS)
    assert "georoads[postgis]" in e.value.hint
