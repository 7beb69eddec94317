"""The main walk, put together from the rooms."""
