"""Start an RPC tracker and servers: on this machine for a try, or on a board for a tracker.

Ends everything at Ctrl-C or SIGTERM. Whoever reaches one of the ports runs code on the machine:
TVM's RPC asks nobody who he is.
"""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence

from rivulet.rpc_server.fleet import Fleet, run_fleet

LOOPBACK = ("127.0.0.1", "localhost", "::1")


def address(text: str) -> tuple[str, int]:
    """Read HOST:PORT."""
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) < 65536:
        raise argparse.ArgumentTypeError(f"{text!r} is no HOST:PORT")
    return host.strip("[]"), int(port)


def count(text: str) -> int:
    """Read a number that is not negative."""
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is no count; allowed: an integer from 0")
    return int(text)


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="rivulet rpc",
        description=__doc__,
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--port", type=int, default=9190, help="port of the tracker")
    parser.add_argument(
        "--tracker", type=address, metavar="HOST:PORT", default=argparse.SUPPRESS,
        help="register the servers at this tracker (default: start one here)",
    )  # fmt: skip
    parser.add_argument("--key", default="local", help="key that the servers register under")
    parser.add_argument("--devices", type=count, default=1, help="servers to start; 0 for none")
    parser.add_argument(
        "--threads", type=count, default=argparse.SUPPRESS,
        help="threads of kernels, which must be those of the config's hardware (default: what TVM "
        "takes, half of the CPUs)",
    )  # fmt: skip
    parser.add_argument(
        "--server-port", type=int, default=0,
        help="port of the first server, further ones take the next; 0 for any",
    )  # fmt: skip
    parser.add_argument(
        "--public-host", default=argparse.SUPPRESS,
        help="host that clients reach these servers at (default: as the tracker sees them)",
    )  # fmt: skip
    nothing = argparse.Namespace(tracker=None, threads=None, public_host=None)
    return parser.parse_args(arguments, namespace=nothing)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    options = parse(arguments)
    logging.basicConfig(format="%(asctime)s %(name)s: %(message)s", level=logging.INFO)

    def say(text: str) -> None:
        print(text, file=sys.stderr, flush=True)

    if options.host not in LOOPBACK:
        say(
            f"warning: whoever reaches {options.host} runs code on this machine; TVM's RPC has no "
            "authentication: use it in a network of your own only"
        )
    fleet = Fleet(
        options.host, options.port, options.tracker, options.key, options.devices,
        options.threads, options.server_port, options.public_host,
    )  # fmt: skip
    return run_fleet(fleet, say)
