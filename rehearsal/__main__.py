"""Start the command line, on a Python that can run it."""

import sys

from rehearsal.preflight import refuse_wrong_python

INTERRUPTED = 130

if __name__ == "__main__":
    refuse_wrong_python()
    try:
        from rehearsal.commands import main

        sys.exit(main(sys.argv[1:]))
    except ModuleNotFoundError as error:
        sys.exit(f"rehearsal: {error.name} is not installed; run `make setup`")
    except KeyboardInterrupt:
        print("rehearsal: interrupted; all it had started is stopped", file=sys.stderr)
        sys.exit(INTERRUPTED)
