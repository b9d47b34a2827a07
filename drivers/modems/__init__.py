"""LoRaWAN modems, one file each."""
