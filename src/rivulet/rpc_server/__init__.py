"""An RPC tracker and servers, for boards and for a first try on one machine."""
