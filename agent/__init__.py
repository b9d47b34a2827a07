"""The daemon of a sensor node: knows tables, rows and links; no chip."""
