"""Who does the parts of a long job: threads of this process, or workers on a Ray cluster."""
