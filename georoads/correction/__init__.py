"""Correcting roads by hand: what a person saw on the map is put into the network."""
