"""The machine: what it is, and what it can do at most."""
