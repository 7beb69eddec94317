"""Road mask to skeleton.

In: the road's runs and the anchors. Out: a ``Skeleton``: pixels, one wide, with the mask's topology; and
round(254 p) at each of them.
"""
