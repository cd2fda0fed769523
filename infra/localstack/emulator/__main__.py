"""``python -m emulator``: starts the emulator and prints its endpoint."""

import argparse
import sys

from emulator import process


def main() -> None:
    """Starts the emulator; returns when it has ended."""
    parser = argparse.ArgumentParser(prog="python -m emulator", description="AWS on this machine, for tests.")
    parser.add_argument("--port", type=int, help="port on 127.0.0.1 (default: a free one)")
    parser.add_argument(
        "--attached",
        action="store_true",
        help="end, with all it has started, when standard input is closed: for programs that start this one",
    )
    parser.add_argument("--batch-slots", type=int, default=32, help="jobs of AWS Batch that run at once (default 32)")
    options = parser.parse_args()
    process.prepare(options.port or process.free_port(), attached=options.attached)

    # MiniStack reads its settings while it is imported: only now.
    from emulator import batch, batch_resources, cloudformation, http_api, tuning

    batch_resources.install()
    batch.install(slots=options.batch_slots)
    cloudformation.install()
    http_api.install()
    tuning.install()
    process.announce()

    from ministack.app import main as serve

    # It reads the command line, too.
    sys.argv = sys.argv[:1]
    serve()


if __name__ == "__main__":
    main()
