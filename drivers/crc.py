"""Checksums that chips share."""

from __future__ import annotations


def crc8_maxim(data: bytes) -> int:
    """CRC-8, polynomial 0x31 reflected, start 0 (1-wire; DS18B20, "CRC generation")."""
    crc = 0
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ 0x8C if crc & 1 else crc >> 1
    return crc


def crc8_31(data: bytes, start: int = 0xFF) -> int:
    """CRC-8, polynomial 0x31, not reflected (Sensirion; AHT20). CRC of be ef is 92."""
    crc = start
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc << 1 ^ 0x31 if crc & 0x80 else crc << 1) & 0xFF
    return crc
