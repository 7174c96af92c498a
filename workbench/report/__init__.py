"""Pages and files made of profiles and results."""
