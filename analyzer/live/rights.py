"""Rights: the recorder alone has them, and only until its capture is open.

Theory of operation. Somebody who runs `sudo framescope live` means to capture, and nothing else. So the recorder turns
into that user at once and keeps two capabilities, CAP_NET_RAW and CAP_NET_ADMIN (capabilities(7)), as ambient ones,
which the capture programs that it starts inherit; once they run, or its own sockets are open, it gives them up. The
process that analyses and shows turns into that user without any. Root itself, whom nobody called, has the recorder keep
only what it needs to stop a tcpdump that has become another user.
"""

from __future__ import annotations

import ctypes
import os
import pwd
import shlex
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from struct import pack, unpack

from analyzer.live.request import Request

KILL, NET_ADMIN, NET_RAW = 5, 12, 13
"""Numbers of linux/capability.h."""
VERSION = 0x20080522
KEEP_CAPABILITIES, AMBIENT, RAISE = 8, 47, 2
"""prctl(2)."""
NOBODY_CALLED = -1
CALLERS = ("SUDO_UID", "PKEXEC_UID")


@dataclass(frozen=True, slots=True)
class Caller:
    """The user on whose behalf root runs this."""

    uid: int
    gid: int
    name: str
    home: str


def caller() -> Caller | None:
    """Who called root: through sudo, pkexec or doas. None for anybody else."""
    if os.geteuid() != 0:
        return None
    try:
        named = next((int(os.environ[name]) for name in CALLERS if name in os.environ), NOBODY_CALLED)
        entry = pwd.getpwuid(named) if named > 0 else pwd.getpwnam(os.environ["DOAS_USER"])
    except (KeyError, ValueError):
        return None
    return Caller(entry.pw_uid, entry.pw_gid, entry.pw_name, entry.pw_dir) if entry.pw_uid else None


def become(user: Caller, keep: bool) -> None:
    """Turn into a user for ever; `keep`: with the right to capture, also for programs that are started."""
    libc = ctypes.CDLL(None, use_errno=True)
    if keep:
        libc.prctl(KEEP_CAPABILITIES, 1, 0, 0, 0)
    os.environ["HOME"] = user.home
    os.initgroups(user.name, user.gid)
    os.setresgid(user.gid, user.gid, user.gid)
    os.setresuid(user.uid, user.uid, user.uid)
    if keep:
        _set(libc, NET_ADMIN, NET_RAW)
        for capability in (NET_ADMIN, NET_RAW):
            libc.prctl(AMBIENT, RAISE, capability, 0, 0)


def let_go() -> None:
    """Give up every capability that is not needed once the capture is open."""
    if sys.platform == "linux":
        libc = ctypes.CDLL(None, use_errno=True)
        _set(libc, *((KILL,) if os.geteuid() == 0 and _permitted(libc) >> KILL & 1 else ()))


def _permitted(libc: ctypes.CDLL) -> int:
    """The capabilities that this process may have, as a mask: root in a container does not have all."""
    held = ctypes.create_string_buffer(24)
    if libc.capget(pack("=Ii", VERSION, 0), held):
        raise OSError(ctypes.get_errno(), "capabilities cannot be read")
    _, low, _, _, high, _ = unpack("=6I", held.raw)
    return int(low | high << 32)


def _set(libc: ctypes.CDLL, *capabilities: int) -> None:
    """Exactly these: effective, permitted and inheritable; what is not permitted leaves the ambient ones too."""
    mask = sum(1 << capability for capability in capabilities)
    low, high = mask & 0xFFFFFFFF, mask >> 32
    if libc.capset(pack("=Ii", VERSION, 0), pack("=6I", low, low, low, high, high, high)):
        raise OSError(ctypes.get_errno(), "capabilities cannot be set")


def command() -> str:
    """How to run this program from anywhere: a virtual environment is not on root's PATH."""
    script = Path(sys.executable).parent / "framescope"
    return str(script) if script.exists() else f"{sys.executable} -m analyzer"


def hint(request: Request) -> str:
    """The commands that grant the right to capture on this system, and the way without it."""
    words = [*(word for name in request.interfaces for word in ("-i", name)), *request.expression.split()]
    quoted = shlex.join(words)
    dumpcap, tcpdump = (
        shutil.which("dumpcap") or _elsewhere("dumpcap"),
        shutil.which("tcpdump") or _elsewhere("tcpdump"),
    )
    lines = [f"this once:         sudo {command()} live {quoted}"]
    if dumpcap:
        lines += _for_ever(dumpcap)
    if tcpdump:
        lines.append(f"through a pipe:    sudo {tcpdump} -U -w - {quoted} | {command()} live -")
    return "\n".join(["One of these grants the right to capture:", *lines])


def _elsewhere(program: str) -> str:
    """Where a program stands that is on root's PATH only."""
    return next((path for path in (f"/usr/sbin/{program}", f"/sbin/{program}") if os.access(path, os.F_OK)), "")


def _for_ever(dumpcap: str) -> list[str]:
    """What makes dumpcap usable by this user."""
    name = pwd.getpwuid(os.getuid()).pw_name
    if not os.access(dumpcap, os.X_OK):
        return [f"from next login on: sudo usermod -aG wireshark {name}"]
    return [f"from now on:       sudo setcap cap_net_raw,cap_net_admin=eip {dumpcap}"]
