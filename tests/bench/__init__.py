"""Speed, as ratios of things timed in one run: `make bench`. What must be equal is a test; how fast it is never is one."""
