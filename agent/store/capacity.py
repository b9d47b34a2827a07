"""How many rows fill a frame of a link, learnt from what it has delivered."""

from __future__ import annotations

from agent.model.batch import Delivered
from agent.store.policy import LinkPolicy

CANDIDATES = 512  #: most rows handed out for one frame
IN_ORDER = 1536  #: the same for back-fill that goes in order, over links that are quick


class Capacity:
    """Starts with the most; a frame that was full corrects it."""

    def __init__(self, policy: LinkPolicy) -> None:
        self.most = CANDIDATES if policy.coarse_first else IN_ORDER
        self.backfill = self.most  #: rows for a back-fill frame: a few more than fitted last
        self.live: dict[int, int] = {}  #: layout -> rows that filled a live frame

    def learn(self, delivered: Delivered) -> None:
        """A frame of rows has gone: was it full, or was there room left?"""
        batch, count = delivered.batch, len(delivered.rows)
        assert batch.layout is not None, "only rows fill frames by number"
        full = count < len(batch.rows)
        if batch.priority == "backfill":
            self.backfill = count * 33 // 32 + 4 if full else self.most
        elif full:
            self.live[batch.layout.id] = count
        elif batch.layout.id in self.live:  # the limit has grown, or rows have become shorter
            self.live[batch.layout.id] = max(self.live[batch.layout.id], delivered.fits)
