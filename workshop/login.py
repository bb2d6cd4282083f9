"""Who gets in: the names of the register, each with their token."""

from __future__ import annotations

from pathlib import Path

from jupyterhub.auth import Authenticator
from traitlets import Dict, Unicode

from workshop.register import Register


class TokenLogin(Authenticator):
    """JupyterHub's login form, checked against the register as it is now.

    Somebody who is given another token is logged out within minutes, and so is who is struck off.
    """

    register = Unicode(help="where the register is").tag(config=True)
    entered = Dict(help="with which fingerprint each one came in")

    def entries(self) -> Register:
        """The register, read anew: `make hub-tokens` may have changed it."""
        return Register(Path(self.register))

    async def authenticate(self, handler, data: dict) -> str | None:
        """The name, if the token is theirs."""
        name, token = data.get("username", "").strip().lower(), data.get("password", "")
        register = self.entries()
        if not register.admits(name, token):
            return None
        self.entered = {**self.entered, name: register.entries[name]["token"]}
        return name

    async def refresh_user(self, user, handler=None) -> bool:
        """Whether who came in may stay. After a restart of the hub all in the register may."""
        entry = self.entries().entries.get(user.name)
        return entry is not None and self.entered.get(user.name, entry["token"]) == entry["token"]
