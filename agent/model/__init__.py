"""The nouns: schema, row, message, batch, layout, alarm."""
