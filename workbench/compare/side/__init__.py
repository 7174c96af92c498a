"""The file that both sides of a comparison take for the suite: alone here, as a suite's folder goes on the path."""
