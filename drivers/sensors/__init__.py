"""Sensors, one file each."""
