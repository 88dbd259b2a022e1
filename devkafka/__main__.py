"""The command line: `python -m devkafka` is `make kafka`, and `python -m devkafka java CLASS` runs a class of Kafka."""

import argparse
import os
import signal
import sys
from types import FrameType

from . import local
from .errors import DevKafkaError
from .java import build_java_command, prepare

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class _Stopped(BaseException):
    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.exit_code = 128 + number


def main() -> int:
    """Run the command line, and return its exit code."""
    for number in _SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _stop)
    try:
        _run_command(_make_parser().parse_args())
    except DevKafkaError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    except OSError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    except _Stopped as stopped:
        return stopped.exit_code
    return 0


def _stop(number: int, _frame: FrameType | None) -> None:
    """Unwind on the first signal. The second one ends the process at once; the run's folder is still cleaned up."""
    for each in _SIGNALS:
        signal.signal(each, signal.SIG_DFL)
    raise _Stopped(number)


def _make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m devkafka", description=local.__doc__)
    commands = parser.add_subparsers(dest="command")
    commands.add_parser("prepare", help="check Java, and fetch Kafka's jars if they are missing")
    java = commands.add_parser("java", help="run a Java class with Kafka's jars, for example MirrorMaker 2")
    java.add_argument("--heap", default="512m", help="as in -Xmx, from 256m (default: %(default)s)")
    java.add_argument("main_class")
    java.add_argument("arguments", nargs=argparse.REMAINDER)
    return parser


def _run_command(options: argparse.Namespace) -> None:
    if options.command == "java":
        command = build_java_command(options.main_class, *options.arguments, heap=options.heap)
        os.execv(command[0], command)  # noqa: S606
    elif options.command == "prepare":
        prepare()
    else:
        local.run(sys.stderr.write)


if __name__ == "__main__":
    sys.exit(main())
