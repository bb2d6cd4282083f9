"""Who gets in: the names of the class, each with their token of the register."""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from pathlib import Path

from jupyterhub import orm
from jupyterhub.auth import Authenticator
from traitlets import Unicode

from cimg.files import read_file, write_file
from workshop.register import MOST_BYTES, Register

ENTERED = "entered.json"  # beside the register: with which fingerprint each one came in


class TokenLogin(Authenticator):
    """JupyterHub's login form, checked against the register as it is now.

    Who is given another token, or is no longer of the class, is logged out, and their server is
    stopped, as soon as anything is heard of them: a page is asked for, somebody logs in under the
    name, or the server reports that it is there. What was begun with the old token ends with that.
    """

    register = Unicode(help="where the register is").tag(config=True)

    def entries(self) -> Register:
        """The register, read anew: `make hub-tokens` may have changed it."""
        return Register(Path(self.register))

    def entered(self) -> dict[str, str]:
        """The fingerprint of the token with which each one came in, also before a restart."""
        try:
            found = json.loads(read_file(Path(self.register).with_name(ENTERED), MOST_BYTES))
        except (OSError, ValueError):  # nobody has come in yet
            found = {}
        return found if isinstance(found, dict) else {}

    def enter(self, name: str, fingerprint: str) -> None:
        """Somebody came in with this token."""
        path = Path(self.register).with_name(ENTERED)
        write_file(path, json.dumps({**self.entered(), name: fingerprint}).encode())

    async def authenticate(self, handler, data: dict) -> str | None:
        """The name, if the token is theirs."""
        name, token = data.get("username", "").strip().lower(), data.get("password", "")
        register = self.entries()
        if not register.admits(name, token):
            return None
        theirs = register.entries[name]["token"]
        if self.entered().get(name, theirs) != theirs:  # sessions of the old token's are left
            await end_sessions(handler, handler.find_user(name))
        self.enter(name, theirs)
        return name

    async def refresh_user(self, user, handler=None) -> bool:
        """Whether who came in may stay."""
        entry = self.entries().entries.get(user.name)
        here = not self.allowed_users or user.name in self.allowed_users
        if entry and here and self.entered().get(user.name, entry["token"]) == entry["token"]:
            return True  # a teacher may have started the server of who never was here
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
