"""What every long command needs and what knows nothing of roads: atomic files, settings, the allocator."""
