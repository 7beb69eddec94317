"""Wide roads are two: where the mask shows one band, it is divided along its middle into two carriageways.

It reads the mask, and makes axes of its wide areas as the network is made of the mask: so it knows the
packages of all steps, and is itself known to ``vectorize`` only.
"""
