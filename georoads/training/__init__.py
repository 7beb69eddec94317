"""Training: the recipe, the loop, the run folder, the plots."""
