"""What both faces need to open a channel to a daemon."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any, Callable, List, Optional, Sequence, Tuple, Union

import grpc

from bpfmapd._address import DEFAULT_ADDRESS, parse_address
from bpfmapd.errors import invalid

DEFAULT_TIMEOUT = 30.0
DEFAULT_MAX_MESSAGE_BYTES = 16 * 1024 * 1024

Pem = Union[bytes, str, "os.PathLike[str]"]
Token = Union[str, Callable[[], str]]
Option = Tuple[str, Any]
Metadata = Tuple[Tuple[str, str], ...]


# A host that is gone, or behind a network that drops packets, closes no connection: without
# these a watch would wait for it forever. They are sent while a call runs, however quiet it is.
_KEEPALIVE: List[Option] = [
    ("grpc.keepalive_time_ms", 20_000),
    ("grpc.keepalive_timeout_ms", 20_000),
    ("grpc.http2.max_pings_without_data", 0),
]


@dataclass(frozen=True)
class Tls:
    """TLS towards a daemon on TCP. Each part is PEM as bytes, or the path of a PEM file."""

    ca: Optional[Pem] = None
    """Certificates to trust; those that grpc comes with where absent."""
    cert: Optional[Pem] = None
    """The client's certificate chain, for daemons that ask for one; needs `key`."""
    key: Optional[Pem] = None
    """The private key of `cert`."""
    server_name: Optional[str] = None
    """The name that the daemon's certificate must have, where it is not the address's host."""


class Connection:
    """A checked way to a daemon: all that is needed to open a channel, and what calls share."""

    def __init__(
        self,
        address: str = DEFAULT_ADDRESS,
        tls: Optional[Tls] = None,
        plaintext: bool = False,
        token: Optional[Token] = None,
        timeout: Optional[float] = DEFAULT_TIMEOUT,
        max_message_bytes: int = DEFAULT_MAX_MESSAGE_BYTES,
        channel_options: Sequence[Option] = (),
    ) -> None:
        parsed = parse_address(address)
        if tls is not None and (parsed.is_unix or plaintext):
            why = (
                "is for TCP addresses only"
                if parsed.is_unix
                else "and plaintext exclude each other"
            )
            raise invalid(f"tls {why}", "tls")
        if tls is None and not parsed.is_unix:
            if not plaintext:
                raise invalid(
                    f"{address} is a TCP address: give tls, or plaintext=True to go without", "tls"
                )
            if token is not None:
                raise invalid("a token is not sent over plaintext TCP: give tls", "token")
        self.target = parsed.target
        self.timeout = check_timeout(timeout)
        self.credentials = None if tls is None else _credentials(tls)
        own = [] if parsed.is_unix else _KEEPALIVE
        self.options = _options(tls, max_message_bytes, [*own, *channel_options])
        self._token = token

    def metadata(self) -> Metadata:
        """The headers of a call. A token that is a function is asked for each."""
        if self._token is None:
            return ()
        token = self._token() if callable(self._token) else self._token
        return (("authorization", f"Bearer {token}"),)

    def timeout_of(self, timeout: Optional[float]) -> Optional[float]:
        """Seconds that a call may take: its own, or the connection's."""
        return self.timeout if timeout is None else check_timeout(timeout)


def check_timeout(timeout: Optional[float]) -> Optional[float]:
    """Seconds, or None for no end. INVALID_ARGUMENT unless they are above 0."""
    if timeout is not None and not timeout > 0:
        raise invalid(f"the timeout is {timeout}: it must be above 0 seconds", "timeout")
    return None if timeout is None or timeout == float("inf") else timeout


def _credentials(tls: Tls) -> grpc.ChannelCredentials:
    if (tls.cert is None) != (tls.key is None):
        raise invalid("a client certificate needs both cert and key", "tls")
    return grpc.ssl_channel_credentials(_pem(tls.ca), _pem(tls.key), _pem(tls.cert))


def _pem(part: Optional[Pem]) -> Optional[bytes]:
    if part is None or isinstance(part, bytes):
        return part
    with open(part, "rb") as file:
        return file.read()


def _options(tls: Optional[Tls], max_bytes: int, given: Sequence[Option]) -> List[Option]:
    options: List[Option] = [
        ("grpc.max_receive_message_length", max_bytes),
        ("grpc.max_send_message_length", -1),
        # Otherwise channels to one address share a connection, which then outlives them.
        ("grpc.use_local_subchannel_pool", 1),
        # The default would wait up to two minutes before it looks again whether a daemon
        # that was restarted is back.
        ("grpc.initial_reconnect_backoff_ms", 100),
        ("grpc.max_reconnect_backoff_ms", 5_000),
        # With larger frames and a wider window, dumps came about 12 % faster. The window also
        # bounds what is buffered for a slow reader.
        ("grpc.http2.max_frame_size", 1024 * 1024),
        ("grpc.http2.lookahead_bytes", 4 * 1024 * 1024),
    ]
    if tls is not None and tls.server_name is not None:
        options.append(("grpc.ssl_target_name_override", tls.server_name))
        options.append(("grpc.default_authority", tls.server_name))
    return [*options, *given]
