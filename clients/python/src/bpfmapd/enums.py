"""The enums of the contract, without their prefixes: MAP_TYPE_HASH is MapType.HASH.

A number that this version does not know is no error: MapType(99) is MapType.UNKNOWN_99.
"""

from bpfmapd._gen.enums import *  # noqa: F403
