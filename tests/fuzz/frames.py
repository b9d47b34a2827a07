"""Valid frames of every kind to start from, and seeded ways to damage them."""

from random import Random

from agent import codec
from agent.clock import VirtualClock
from agent.codec import Style
from agent.model.batch import ACK, EVENT, HELLO, RAW, SLICE, WITHDRAWN, Batch, Layout, Message, Row
from agent.model.schema import Cell, Missing, registered

NOW = 1_767_606_060
DOWNLINKS = [
    codec.encode_downlink(1, 42, 1, 1, 5),
    codec.encode_downlink(2, 65535, 1, 3, 1, 1500),
    codec.encode_downlink(2, 7, 1, 3, 2, None),
    codec.encode_downlink(3, 0, 58697),
    codec.encode_downlink(4, 9, 1, 1, 34437, 60),
    codec.encode_downlink(5, 1),
    codec.encode_downlink(7, 2),
    codec.encode_downlink(8, 3, 1),
]


def valid_frames() -> list[bytes]:
    """Data frames in every form, and one of each other kind."""
    return [*_data_frames(), *_messages()]


def _data_frames() -> list[bytes]:
    random, made = Random(1), list[bytes]()
    schema = registered(1)
    styles = (Style(), Style(whole_slots=True), Style(ticks_always=True), Style(fixed_length=True))
    for style in styles:
        for packed in (False, True):
            for trust in ("ntp", ""):
                clock = VirtualClock(NOW, trust=trust)
                start = NOW if trust else None
                cells = [field.nominal for field in schema.fields]
                rows = [
                    Row(9 - k, 1, -60_000 * k, start and start - 60 * k, _noisy(cells, random))
                    for k in range(9)
                ]
                layout = Layout(1, "air", schema, 60)
                batch = Batch("live", None, layout, rows, packed=packed, boot=1)
                for limit in (20, 51, 115, 222):
                    made += codec.frame(batch, limit, clock, style).frames
    return made


def _noisy(cells: list[int], random: Random) -> bytes:
    noisy: list[Cell] = [cell + random.randint(-40, 40) for cell in cells]
    if random.random() < 0.3:
        noisy[random.randrange(9)] = random.choice(list(Missing))
    return codec.cells_to_bytes(noisy)


def _messages() -> list[bytes]:
    fields = registered(1).fields
    bodies = [
        (EVENT, codec.event_body(1, 3, 1, 1534)),
        (EVENT, codec.event_body(0, None, 6)),
        (EVENT, codec.event_body(1, 3, 10, [4, -3, 2, 1])),
        (SLICE, codec.slice_body(1, 9, 0, fields)),
        (ACK, codec.ack_body(42, 0)),
        (HELLO, codec.hello_body({0: "0.1.0", 1: 3, 2: [0, 1], 3: 77})),
        (RAW, codec.raw_body(1, 0, 2, NOW, 62.5, bytes(range(24)))),
        (WITHDRAWN, codec.withdrawn_body(3, 1, 60, int(NOW) // 60, 8)),
    ]
    messages = [Message(1, kind, 1, 0, NOW, body) for kind, body in bodies]
    messages += [Message(1, EVENT, boot, 0, None, bodies[0][1]) for boot in (0, 1)]
    clocks = VirtualClock(NOW), VirtualClock(0.0, trust="")
    return [
        made
        for clock in clocks
        for message in messages
        for made in codec.frame(Batch("message", message, boot=1), 222, clock).frames
    ]


def damaged(valid: list[bytes], random: Random) -> bytes:
    """Random bytes, or a valid frame with bits turned, cut, lengthened or spliced."""
    choice = random.random()
    if choice < 0.15:
        return random.randbytes(random.randrange(40))
    made = bytearray(random.choice(valid))
    if choice < 0.3:
        del made[random.randrange(len(made)) :]
    elif choice < 0.4:
        made += random.randbytes(random.randrange(1, 6))
    elif choice < 0.55:
        other = random.choice(valid)
        at = random.randrange(len(made))
        made[at:] = other[min(at, len(other)) :]
    else:
        for _ in range(random.randint(1, 3)):
            made[random.randrange(min(len(made), 12 if choice < 0.8 else 999))] = random.choice(
                (random.randrange(256), 0, 0xFF, 0x1B, 0x9B, 0xBB, 0xDB, 0xF6, 0x9F)
            )
    return bytes(made)
