"""A reader of strangers' media in a process of its own, which can do little else."""
