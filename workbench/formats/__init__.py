"""Foreign formats, one file each: `read_…(path) -> Profile`, `write_…(profile, path)`."""
