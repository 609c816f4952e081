"""The version of this project; it is written here and nowhere else."""

__version__ = "0.1.0"
