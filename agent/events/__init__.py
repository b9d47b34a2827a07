"""What happens on a structure: triggers on streams, their events, raw records of them."""
