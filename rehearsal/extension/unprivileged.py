"""Run a program as nobody who still reaches every file: ``unprivileged.py PROGRAM ARGUMENT...``.

PostgreSQL refuses to run as root, and in many a container there is nobody else. The project and the
rehearsal's directory may lie where only root may look; so the one privilege kept is to look there.
It is a program of its own because giving up privileges in a process with threads goes wrong.
"""

import ctypes
import os
import pwd
import sys

USER = "nobody"
# linux/prctl.h and linux/capability.h
_PR_SET_KEEPCAPS = 8
_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE = 47, 2
_CAP_DAC_OVERRIDE = 1
_CAPABILITY_VERSION_3 = 0x20080522


def main(program: list[str]) -> None:
    """Become nobody, then the program."""
    nobody = pwd.getpwnam(USER)
    kernel = ctypes.CDLL(None) if sys.platform == "linux" else None
    if kernel:
        kernel.prctl(_PR_SET_KEEPCAPS, 1, 0, 0, 0)
    os.setgroups([])
    os.setgid(nobody.pw_gid)
    os.setuid(nobody.pw_uid)
    if kernel:
        # Where this is not allowed, it is not needed unless the project is out of reach.
        mask = 1 << _CAP_DAC_OVERRIDE
        header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
        kernel.capset(header, (ctypes.c_uint32 * 6)(mask, mask, mask, 0, 0, 0))
        kernel.prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE, _CAP_DAC_OVERRIDE, 0, 0)
    os.execv(program[0], program)


if __name__ == "__main__":
    main(sys.argv[1:])
