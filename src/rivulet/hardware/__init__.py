"""What a measurement ran on: the target, its fingerprint, and a lock on the device."""

from rivulet.hardware.fingerprint import Device, fingerprint
from rivulet.hardware.lock import device_lock

__all__ = ["Device", "device_lock", "fingerprint"]
