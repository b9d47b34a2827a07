"""The doors: one file per vendor library, foreign errors translated here."""
