"""The page of several runs of one suite."""
