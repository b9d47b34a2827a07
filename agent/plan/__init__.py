"""What a profile means: checked against the drivers, the registered schemas and itself."""
