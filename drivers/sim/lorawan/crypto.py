"""LoRaWAN 1.0 cryptography: session keys, message integrity codes, payload encryption.

LoRa Alliance L2 1.0.4, sections 4.3.3, 4.4 and 6.2. All numbers go little-endian into the blocks.
"""

from __future__ import annotations

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.cmac import CMAC

UP, DOWN = 0, 1


def encrypt(key: bytes, blocks: bytes) -> bytes:
    """AES-128-ECB of whole blocks."""
    return Cipher(algorithms.AES(key), modes.ECB()).encryptor().update(blocks)


def decrypt(key: bytes, blocks: bytes) -> bytes:
    """Inverse of `encrypt`."""
    return Cipher(algorithms.AES(key), modes.ECB()).decryptor().update(blocks)


def cmac(key: bytes, message: bytes) -> bytes:
    """The first four bytes of AES-CMAC (RFC 4493)."""
    code = CMAC(algorithms.AES(key))
    code.update(message)
    return code.finalize()[:4]


def data_mic(key: bytes, way: int, address: int, counter: int, message: bytes) -> bytes:
    """Integrity code of a data frame; `message` is everything from MHDR to the payload's end."""
    block = b"\x49\0\0\0\0" + _tail(way, address, counter) + bytes([len(message)])
    return cmac(key, block + message)


def payload_cipher(key: bytes, way: int, address: int, counter: int, data: bytes) -> bytes:
    """Encrypt or decrypt an FRMPayload (its own inverse)."""
    count = (len(data) + 15) // 16
    tail = _tail(way, address, counter)
    blocks = b"".join(b"\x01\0\0\0\0" + tail + bytes([i]) for i in range(1, count + 1))
    stream = encrypt(key, blocks) if blocks else b""
    return bytes(a ^ b for a, b in zip(data, stream, strict=False))


def session_keys(
    app_key: bytes, join_nonce: int, net_id: int, dev_nonce: int
) -> tuple[bytes, bytes]:
    """(NwkSKey, AppSKey) of a join."""
    tail = join_nonce.to_bytes(3, "little") + net_id.to_bytes(3, "little")
    tail += dev_nonce.to_bytes(2, "little") + bytes(7)
    return encrypt(app_key, b"\x01" + tail), encrypt(app_key, b"\x02" + tail)


def _tail(way: int, address: int, counter: int) -> bytes:
    return bytes([way]) + address.to_bytes(4, "little") + counter.to_bytes(4, "little") + b"\0"
