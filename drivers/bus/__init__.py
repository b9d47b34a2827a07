"""The buses: one file per vendor library, foreign errors translated here."""
