"""Chips, buses and their twins. Knows nothing of the agent."""
