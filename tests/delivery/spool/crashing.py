"""crashing - a process that enters messages and says so until it is killed; used by test_crash.

Prints one queue id a line, each only after enter() returned; small and large content in turn.
"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

from delivery.spool import Spool
from tests.delivery.spool.messages import LARGE, envelope, leased, outcomes, written


async def main(root: Path, deliver: bool) -> None:
    opened = Spool.open(root)
    await opened.start()

    async def session(number: int) -> None:
        turn = 0
        while True:
            turn += 1
            size = LARGE // 8 * 8 if turn % 5 == 0 else 1_000
            queue_id, content = await written(opened, b"%08d" % number * (size // 8))
            await opened.enter(envelope(), content, queue_id=queue_id)
            os.write(1, f"{queue_id} {size}\n".encode())
            if deliver and turn % 2:
                lease = await leased(opened, queue_id, 0.0)
                os.write(1, f"{queue_id} gone\n".encode())  # the delivery itself
                await opened.finish(lease, outcomes(lease), next_attempt=0.0)

    await asyncio.gather(*(session(number) for number in range(20)))


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2] == "deliver"))
