"""georoads with one more command, whose native code never ends: python blocked_main.py free|held.

It prints a line from inside that code: from then on no handler of Python runs, and with ``held`` no thread
either.
"""

from __future__ import annotations

import collections
import functools
import itertools
import sqlite3
import sys

import click

from georoads.cli.main import cli, main

tell = functools.partial(print, "blocked", flush=True)
ENDLESS = """WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n)
SELECT max(CASE x WHEN 1 THEN tell() ELSE x END) FROM n"""


@click.command()
@click.argument("lock")
def block(lock: str) -> None:
    if lock == "held":
        told = itertools.starmap(tell, [()])
        collections.deque(itertools.chain(told, itertools.repeat(None)), maxlen=0)
    database = sqlite3.connect(":memory:")
    database.create_function("tell", 0, tell)
    database.execute(ENDLESS).fetchone()


if __name__ == "__main__":
    cli.add_command(block)
    sys.argv.insert(1, "block")
    main()
