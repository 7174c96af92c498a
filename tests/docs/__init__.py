"""The pages that people read: their examples run, and what they name exists."""
