"""A folder in the browser, on loopback."""
