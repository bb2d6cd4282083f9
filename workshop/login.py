"""Who gets in: the names of the class, each with their token of the register."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from pathlib import Path

from jupyterhub import orm
from jupyterhub.auth import Authenticator
from traitlets import Unicode

from workshop.register import Register


class TokenLogin(Authenticator):
    """JupyterHub's login form, checked against the register as it is now.

    Who is given another token, or is no longer of the class, is logged out, and their server is
    stopped, as soon as anything is heard of them: a page is asked for, somebody logs in under the
    name, or the server reports that it is there. What was begun with the old token ends with that.
    A server that says nothing is ended too, by `LearnerSpawner.poll`.
    """

    register = Unicode(help="where the register is").tag(config=True)

    def entries(self) -> Register:
        """The register, read anew: `make hub-tokens` may have changed it."""
        return Register(Path(self.register))

    async def authenticate(self, handler, data: dict) -> str | None:
        """The name, if the token is theirs."""
        name, token = data.get("username", "").strip().lower(), data.get("password", "")
        register = self.entries()
        if not register.admits(name, token):
            return None
        if not register.up_to_date(name):  # sessions of the old token's are left
            await end_sessions(handler, handler.find_user(name))
        register.enter(name)
        return name

    async def refresh_user(self, user, handler=None) -> bool:
        """Whether who came in may stay."""
        here = not self.allowed_users or user.name in self.allowed_users
        if here and self.entries().up_to_date(user.name):
            return True
        if handler:
            await end_sessions(handler, user)
        return False


async def end_sessions(handler, user) -> None:
    """End all that somebody has begun: cookies, tokens of the hub's own, the server; not files."""
    if user is None:  # never was here
        return
    spawner = user.spawner
    if spawner.pending == "spawn" and spawner._spawn_future:  # it could only be stopped half-way
        with suppress(Exception):
            await asyncio.shield(spawner._spawn_future)
    if spawner.ready:
        await handler.stop_single_user(user)
        if spawner._stop_future:  # the hub doesn't wait for a slow one
            await asyncio.shield(spawner._stop_future)
    user.orm_user.cookie_id = orm.new_token()
    for token in handler.db.query(orm.APIToken).filter_by(user=user.orm_user):
        handler.db.delete(token)
    handler.db.commit()
