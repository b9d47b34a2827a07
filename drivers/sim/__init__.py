"""Simulated buses, chips and worlds, standing where the real ones stand."""
