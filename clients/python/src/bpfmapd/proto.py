"""The messages of the contract, for calls of `client.maps` and `client.host`.

Their registered names are bpfmap.v1.*, so they cannot share a process with code that
somebody else generated from the same contract.
"""

from bpfmapd._gen.messages import *  # noqa: F403
