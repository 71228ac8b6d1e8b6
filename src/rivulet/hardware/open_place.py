"""The way to a place, wherever it is."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from rivulet.errors import UserError
from rivulet.hardware.place import Location, Place, PlaceUnreachable
from rivulet.hardware.remote import RemotePlace

T = TypeVar("T")


def at_place(location: Location, work: Callable[[Place], T]) -> T:
    """Do work at a place, and again in a new session where the device was lost meanwhile.

    Args:
        location: The place.
        work: The work, which has to be repeatable.

    Raises:
        UserError: No device is to be had, or it was lost each time.
    """
    connection = location.connection
    if connection is None:
        return work(open_place(location))
    for left in reversed(range(connection.retries + 1)):
        place = None
        try:
            place = open_place(location)
            return work(place)
        except PlaceUnreachable as error:
            reason = str(error)
        except UserError:
            raise
        except Exception as error:
            if place is None or place.alive():
                raise
            # TVM's errors say at length that the connection is closed.
            reason = f"the session was lost: {error}".strip().splitlines()[-1]
        finally:
            if place is not None:
                place.close()
        if not left:
            break
    raise connection.trouble(reason)


def open_place(location: Location, seconds: float | None = None) -> Place:
    """Go to a place.

    Args:
        location: Which one.
        seconds: How long to wait for a free device over RPC; None for as long as is configured.

    Raises:
        PlaceUnreachable: Nobody answers over RPC.
        UserError: What answers is not what is configured.
    """
    return Place(location) if location.is_here else RemotePlace(location, seconds)
