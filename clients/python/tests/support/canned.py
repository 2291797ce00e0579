"""A server that answers as a test says: for daemons that do not keep to the contract."""

from __future__ import annotations

import contextlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import MappingProxyType
from typing import Any, Callable, Iterator, List, Mapping, Tuple

import grpc

from bpfmapd import proto

Answer = Callable[[bytes, grpc.ServicerContext], Any]


@contextlib.contextmanager
def canned(
    path: Path,
    unary: Mapping[str, Answer] = MappingProxyType({}),
    streams: Mapping[str, Answer] = MappingProxyType({}),
) -> Iterator[str]:
    """Serves functions that take a request's bytes and return messages."""
    executor = ThreadPoolExecutor(4)
    server = grpc.server(executor)
    host = proto.GetHostResponse(host=proto.Host(byte_order=1, hostname="canned"))
    unary = {"GetHost": lambda request, context: host, **unary}

    def serialize(message: Any) -> bytes:
        return bytes(message.SerializeToString())

    handlers = {
        name: grpc.unary_unary_rpc_method_handler(answer, response_serializer=serialize)
        for name, answer in unary.items()
    }
    handlers.update(
        {
            name: grpc.unary_stream_rpc_method_handler(answer, response_serializer=serialize)
            for name, answer in streams.items()
        }
    )
    server.add_generic_rpc_handlers(
        [
            grpc.method_handlers_generic_handler(f"bpfmap.v1.{service}", handlers)
            for service in ("MapService", "HostService")
        ]
    )
    server.add_insecure_port(f"unix:{path}")
    server.start()
    try:
        yield f"unix:{path}"
    finally:
        server.stop(None).wait()
        executor.shutdown()


def messages(*answers: Any) -> Answer:
    """A stream of these messages."""

    def answer(request: bytes, context: grpc.ServicerContext) -> Iterator[Any]:
        yield from answers

    return answer


Headers = List[Tuple[str, Any]]
