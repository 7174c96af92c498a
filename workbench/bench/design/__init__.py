"""What is measured: suites, axes, variants, cases, and what a suite says beside them."""
