"""From air to row: instruments, samplers, streams, windows, derived sensors, buses."""
