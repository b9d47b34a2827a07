"""Load tests: everything that feels the bridge, recorded raw with marks; reports made of it."""
