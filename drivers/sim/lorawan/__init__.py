"""A LoRaWAN without radio: end device, network server and the air between. Class A, EU868."""
