"""Parameters that belong together for a purpose, each set a TOML file that says all it sets."""
