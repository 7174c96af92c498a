"""The Jacobian by named strategies, and what each costs."""
