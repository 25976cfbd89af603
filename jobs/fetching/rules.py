"""From which hosts sources may be fetched, and which addresses may be connected to."""

from __future__ import annotations

import asyncio
import socket
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from jobs.fetching.errors import FetchError, PlaceRefusedError
from jobs.fetching.places import WEB, scheme_of

if TYPE_CHECKING:
    from collections.abc import Sequence

# Answers to any machine of Azure with what only that machine should know.
METADATA = (IPv4Address("168.63.129.16"),)
NAT64 = IPv6Network("64:ff9b::/96")
IPV4_MASK = 0xFFFFFFFF
ALLOW_PRIVATE = "HEADRACE_IMPORT_PRIVATE_HOSTS=true allows private addresses"


@dataclass(frozen=True, slots=True)
class Rules:
    """Where sources may come from: `hosts` as in HEADRACE_IMPORT_HOSTS, all public ones if there are none."""

    hosts: tuple[str, ...] = ()
    private: bool = False

    def check(self, url: str) -> None:
        """See that a URL names a host, or a bucket, that may be read.

        Raises:
            PlaceRefusedError: it does not.

        """
        if not host_of(url):
            raise PlaceRefusedError(url, "names no host", "check the URL")
        if self.hosts and not self.lists(url):
            raise PlaceRefusedError(
                url, "is on no host of HEADRACE_IMPORT_HOSTS", "add it there, or fetch it first"
            )

    def lists(self, url: str) -> bool:
        """Tell whether the host of a URL, or its bucket, is listed."""
        scheme, host = scheme_of(url), host_of(url)
        named = host if scheme in WEB else f"{scheme}://{host}"
        return bool(host) and any(_matches(named, pattern.lower()) for pattern in self.hosts)

    async def addresses(self, url: str) -> Sequence[str]:
        """Give the addresses of a URL's host, all of which may be connected to.

        Raises:
            PlaceRefusedError: one of them may not, or there is no such host.
            FetchError: the name could not be looked up just now.

        """
        host, loop = host_of(url), asyncio.get_running_loop()
        try:
            found = await loop.getaddrinfo(host, None, type=socket.SOCK_STREAM)
        except socket.gaierror as error:
            if error.errno == socket.EAI_AGAIN:
                raise FetchError(url, f"the name {host} cannot be looked up just now") from error
            raise PlaceRefusedError(url, f"there is no host {host}", "check the URL") from error
        except UnicodeError as error:
            raise PlaceRefusedError(url, "names no possible host", "check the URL") from error
        addresses = list(dict.fromkeys(str(info[4][0]) for info in found))
        for address in addresses:
            if not may_connect(address, private=self.private):
                raise PlaceRefusedError(url, f"leads to {address}, which is not public", ALLOW_PRIVATE)
        return addresses


def may_connect(address: str, *, private: bool) -> bool:
    """Tell whether an address is public or, if they are allowed, private; link-local is never allowed."""
    ip = _inner(ip_address(address))
    if ip.is_multicast or ip.is_link_local or ip.is_unspecified or ip in METADATA:
        return False
    return private or (ip.is_global and not ip.is_reserved)


def _inner(ip: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """Give the IPv4 address that an IPv6 address stands for, or the address itself."""
    if isinstance(ip, IPv4Address):
        return ip
    if ip in NAT64:
        return IPv4Address(int(ip) & IPV4_MASK)
    return ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else ip)


def host_of(url: str) -> str:
    """Give the host of a URL, or the bucket, in small letters."""
    try:
        return (urlsplit(url).hostname or "").lower().rstrip(".")
    except ValueError:
        return ""


def _matches(named: str, pattern: str) -> bool:
    """Tell whether `*.example.com` has it below itself, or another pattern is it."""
    return named.endswith(pattern[1:]) if pattern.startswith("*.") else named == pattern
