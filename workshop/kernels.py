"""Room for the kernel that works: hardly anybody shuts down the last notebook before the next one.

Left alone, the third or fourth would take the learner over the limit of the memory, and Linux would
end whichever kernel is the largest; in notebook 07 that is the one at work.
"""

import os

import psutil
from jupyter_server.services.kernels.kernelmanager import AsyncMappingKernelManager
from tornado.ioloop import PeriodicCallback
from traitlets import Instance, Int, default

SECONDS = 1.0  # from one look at the memory to the next


class RoomyKernels(AsyncMappingKernelManager):
    """While less than a third of the learner's memory is free, the kernel that has been idle for
    longest is ended. Its notebook stays as it is; *Run All Cells* brings back the variables. One
    that computes is never ended, nor the one in which something has happened last."""

    limit = Int(help="bytes for all of the learner's processes").tag(config=True)
    watch = Instance(PeriodicCallback, allow_none=True)

    @default("limit")
    def _limit_default(self) -> int:
        return int(os.environ["MEM_LIMIT"])  # JupyterHub tells it

    async def start_kernel(self, **options) -> str:
        started = await super().start_kernel(**options)
        if self.watch is None:
            self.watch = PeriodicCallback(self.make_room, SECONDS * 1000)
            self.watch.start()
        return started

    async def make_room(self) -> None:
        """End one idle kernel if it has to be."""
        if self.used() > self.limit * 2 / 3 and (spare := self.spare()):
            self.log.warning("kernel %s is ended: room for another", spare)
            await self.shutdown_kernel(spare)

    def spare(self) -> str | None:
        """The kernel that has been idle for longest, if it isn't the last one that was used."""
        kernels = sorted(self.list_kernels(), key=lambda one: one["last_activity"])  # ISO, UTC
        idle = (one["id"] for one in kernels[:-1] if one["execution_state"] == "idle")
        return next(idle, None)

    def used(self) -> int:
        """Bytes of the server and its kernels that nobody else could use."""
        kernels = [self.get_kernel(name).provisioner for name in self.list_kernel_ids()]
        return sum(map(own_memory, [os.getpid(), *(one.pid for one in kernels if one)]))


def own_memory(pid: int | None) -> int:
    """Bytes of a process, without what it shares with others; 0 if there is no such process."""
    try:
        memory = psutil.Process(pid).memory_info() if pid else None
    except psutil.Error:  # it has ended meanwhile
        memory = None
    return memory.rss - getattr(memory, "shared", 0) if memory else 0
