"""The files and the page of one profile, and its difference to another."""
