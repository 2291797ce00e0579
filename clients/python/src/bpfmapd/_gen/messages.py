"""Generated from proto/ by scripts/generate.py: all messages of the contract."""

from bpfmapd._gen.bpfmap.fleet.v1.aggregate_pb2 import *  # noqa: F403
from bpfmapd._gen.bpfmap.fleet.v1.fleet_service_pb2 import *  # noqa: F403
from bpfmapd._gen.bpfmap.fleet.v1.host_pb2 import *  # noqa: F403
from bpfmapd._gen.bpfmap.fleet.v1.map_set_pb2 import *  # noqa: F403
from bpfmapd._gen.bpfmap.fleet.v1.relay_service_pb2 import *  # noqa: F403
from bpfmapd._gen.bpfmap.fleet.v1.rollout_pb2 import *  # noqa: F403
from bpfmapd._gen.bpfmap.fleet.v1.selector_pb2 import *  # noqa: F403
from bpfmapd._gen.bpfmap.fleet.v1.session_pb2 import *  # noqa: F403
from bpfmapd._gen.bpfmap.fleet.v1.watch_pb2 import *  # noqa: F403
from bpfmapd._gen.bpfmap.v1.aggregate_pb2 import *  # noqa: F403
from bpfmapd._gen.bpfmap.v1.capability_pb2 import *  # noqa: F403
from bpfmapd._gen.bpfmap.v1.element_pb2 import *  # noqa: F403
from bpfmapd._gen.bpfmap.v1.error_pb2 import *  # noqa: F403
from bpfmapd._gen.bpfmap.v1.export_pb2 import *  # noqa: F403
from bpfmapd._gen.bpfmap.v1.host_service_pb2 import *  # noqa: F403
from bpfmapd._gen.bpfmap.v1.map_pb2 import *  # noqa: F403
from bpfmapd._gen.bpfmap.v1.map_service_pb2 import *  # noqa: F403
from bpfmapd._gen.bpfmap.v1.object_pb2 import *  # noqa: F403
from bpfmapd._gen.bpfmap.v1.record_pb2 import *  # noqa: F403
from bpfmapd._gen.bpfmap.v1.schema_pb2 import *  # noqa: F403
from bpfmapd._gen.bpfmap.v1.watch_pb2 import *  # noqa: F403
