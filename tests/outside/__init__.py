"""What the world outside does, against real processes: `make outside`, `make soak`."""
