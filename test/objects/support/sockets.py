"""Opens sockets of the kinds given as arguments, tells their fds as JSON, and waits for
the end of its input. Node cannot open most of these."""

import json
import os
import socket
import struct
import sys

AF_XDP, SOL_XDP, XDP_RX_RING = 44, 283, 2
kept = []


def keep(made):
    kept.append(made)
    return made


def tcp_listen():
    server = keep(socket.socket())
    server.bind(("127.0.0.1", 0))
    server.listen()
    return server


def tcp_connected():
    server = tcp_listen()
    client = keep(socket.create_connection(server.getsockname()))
    keep(server.accept()[0])
    return client


def tcp_fresh():
    return keep(socket.socket())


def udp_bound():
    bound = keep(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
    bound.bind(("127.0.0.1", 0))
    return bound


def udp_reuseport():
    bound = keep(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    bound.bind(("127.0.0.1", 0))
    return bound


def unix_connected():
    one, other = socket.socketpair()
    keep(other)
    return keep(one)


def xdp():
    made = keep(socket.socket(AF_XDP, socket.SOCK_RAW))
    made.setsockopt(SOL_XDP, XDP_RX_RING, struct.pack("I", 64))
    return made


def a_file():
    return keep(open("/proc/self/status", encoding="ascii"))


if __name__ == "__main__":
    fds = [globals()[kind]().fileno() for kind in sys.argv[1:]]
    print(json.dumps({"pid": os.getpid(), "fds": fds}), flush=True)
    for line in sys.stdin:
        # "close N" closes what has the fd N.
        number = int(line.split()[1])
        for made in kept:
            if made.fileno() == number:
                made.close()
        print("closed", flush=True)
