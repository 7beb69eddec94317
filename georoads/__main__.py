"""``python -m georoads``."""

from georoads.cli.main import main

main()
