"""With this folder on PYTHONPATH, Python refuses to talk to any machine but this one.

Notebooks are built and tested that way (kernels and other Python child processes inherit it), so
that a notebook that needs the network fails here and not in a classroom without one. It is an audit
hook, which no code can take off again; it sees what Python's `socket` does, not another program's.
"""

import ipaddress
import sys


def is_here(host) -> bool:
    """Loopback, this machine's own name for it, or "any address" (to listen on)."""
    if host in (None, "", b"", "localhost", b"localhost"):
        return True
    try:
        text = host.decode() if isinstance(host, bytes) else str(host)
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified


def refuse(event: str, args: tuple) -> None:
    """Raise PermissionError when a connection, datagram or look-up would leave this machine."""
    if event in ("socket.connect", "socket.sendto", "socket.sendmsg"):
        address = args[1]
        if not isinstance(address, tuple) or is_here(address[0]):  # not a tuple: a Unix socket
            return
        target = address[0]
    elif event in ("socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr"):
        if is_here(args[0]):
            return
        target = args[0]
    else:
        return
    raise PermissionError(f"offline: the course needs no network, something asked for {target!r}")


sys.addaudithook(refuse)
