#!/usr/bin/env python3
"""Set up .venv, layers and node_modules from the locks; `make` runs it when they are stale."""

# This file has to be understood by the old Pythons it turns away.
import glob
import os
import shutil
import subprocess
import sys

ROOT = os.path.dirname(os.path.abspath(__file__))
VENV = os.path.join(ROOT, ".venv")
MINIMUM = (3, 11)
LAYER_LOCKS = (
    "constructs/patterns/layers/*/requirements.txt",
    "stacks/*/layers/*/requirements.txt",
)
NEEDED_BYTES = (
    2 * 1024**3
)  # measured: 1.2 GB of .venv, 30 MB of node_modules, pip's temporary files


def main():
    """Check the machine, then install; every refusal is one line."""
    if sys.version_info < MINIMUM:
        stop(
            "Python %d.%d or later is needed and this is %d.%d; say make PYTHON=python3.11"
            % (MINIMUM + sys.version_info[:2])
        )
    free = shutil.disk_usage(ROOT).free
    if free < NEEDED_BYTES:
        stop(
            "%.1f GB are needed and %.1f GB are free in %s; make room there"
            % (NEEDED_BYTES / 1e9, free / 1e9, ROOT)
        )

    say("Python packages, from requirements-dev.txt (about a minute)")
    python = os.path.join(VENV, "bin", "python")
    if run([sys.executable, "-m", "venv", "--clear", VENV]).returncode:
        stop("python -m venv failed; on Debian and Ubuntu: apt install python3-venv")
    locked = os.path.join(ROOT, "requirements-dev.txt")
    pip = [python, "-m", "pip", "install", "-q", "--disable-pip-version-check"]
    install = run(pip + ["--require-hashes", "-r", locked])
    if install.returncode:
        stop("pip could not install requirements-dev.txt: " + last_line(install.stderr))

    for pattern in LAYER_LOCKS:
        for locked in sorted(glob.glob(os.path.join(ROOT, pattern))):
            install_layer(pip, locked)

    say("The CDK CLI, from package-lock.json")
    environment = dict(
        os.environ,
        PATH=os.path.dirname(python) + os.pathsep + os.environ["PATH"],
        # Node trusts only what it was built with, so not the certificate of a company's proxy.
        NODE_OPTIONS=(os.environ.get("NODE_OPTIONS", "") + " --use-system-ca").strip(),
    )
    npm = [os.path.join(VENV, "bin", "npm"), "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
    install = run(npm, env=environment)
    if install.returncode:
        stop("npm could not install package-lock.json: " + last_line(install.stderr))

    with open(os.path.join(VENV, "installed"), "w") as stamp:
        stamp.write("from the locks\n")


def install_layer(pip, locked):
    """What functions import beyond the SDK, into the folder `python` that Lambda looks for."""
    folder = os.path.dirname(locked)
    say("The layer %s, from its requirements.txt" % os.path.basename(folder))
    target = os.path.join(folder, "python")
    shutil.rmtree(target, ignore_errors=True)
    into = ["--require-hashes", "--no-deps", "--no-compile", "--target", target]
    # Nothing compiled: it runs on Graviton there, and on this machine in the rehearsal.
    pure = ["--only-binary", ":all:", "--platform", "any", "--implementation", "py"]
    install = run(pip + into + pure + ["-r", locked])
    if install.returncode:
        stop("pip could not install %s: %s" % (locked, last_line(install.stderr)))


def run(command, env=None):
    """Run quietly in the project's folder; the caller decides what to show."""
    return subprocess.run(
        command, cwd=ROOT, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def last_line(text):
    """The last line that says something; npm ends with where its log is."""
    lines = [line for line in text.splitlines() if line.strip() and "complete log" not in line]
    return lines[-1] if lines else "no message"


def say(text):
    """A step begins."""
    sys.stdout.write("setup: " + text + "\n")
    sys.stdout.flush()


def stop(text):
    """One line, and an exit status that is not zero."""
    sys.exit("setup: " + text)


if __name__ == "__main__":
    main()
