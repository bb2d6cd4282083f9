"""Few kernels for each learner: who opens the next notebook seldom shuts down the last one's.

Left alone, the third or fourth would take the learner's share of the memory, and Linux would end
the largest of them: the one that is at work.
"""

import asyncio

from jupyter_server.services.kernels.kernelmanager import AsyncMappingKernelManager
from traitlets import Instance, Int


class FewKernels(AsyncMappingKernelManager):
    """Before a kernel starts, those that have been idle for longest are ended until there is room.
    Their notebooks stay as they are; *Run All Cells* brings back the variables. One that computes
    is never ended."""

    most = Int(2, help="kernels at a time, unless more of them compute").tag(config=True)
    starting = Instance(asyncio.Lock, ())

    async def start_kernel(self, *, kernel_id: str | None = None, **options) -> str:
        async with self.starting:  # a page that comes back asks for all its kernels at once
            if kernel_id is None or kernel_id not in self:
                await self.make_room()
            return await super().start_kernel(kernel_id=kernel_id, **options)

    async def make_room(self) -> None:
        """End idle kernels, those first in which nothing has happened for longest."""
        idle = [one for one in self.list_kernels() if one["execution_state"] == "idle"]
        idle.sort(key=lambda one: one["last_activity"])  # ISO 8601, all in UTC
        for one in idle[: max(0, len(self) + 1 - self.most)]:
            if one["id"] in self:  # it may have been ended meanwhile
                self.log.warning("kernel %s is ended: room for another", one["id"])
                await self.shutdown_kernel(one["id"])
