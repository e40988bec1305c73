"""Which network addresses may be called on a user's behalf. Pure, but for the one function that reads the settings.

Refused are all addresses that are not public: loopback, private, link-local (with the clouds' metadata services),
shared, reserved, multicast, and IPv6 forms that carry such an IPv4 address inside.
"""

import socket
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import TypeAlias

Address: TypeAlias = IPv4Address | IPv6Address
Network: TypeAlias = IPv4Network | IPv6Network

_NAT64 = IPv6Network("64:ff9b::/96")
# Not public, though Python's own table calls some of them global: local NAT64, 6to4 relays, IETF assignments.
_ALSO_REFUSED: tuple[Network, ...] = (
    IPv6Network("64:ff9b:1::/48"),
    IPv6Network("fec0::/10"),
    IPv4Network("192.88.99.0/24"),
    IPv4Network("192.0.0.0/24"),
)
# Alibaba's and Oracle's metadata services live in shared or public ranges.
_METADATA: frozenset[Address] = frozenset(
    {
        IPv4Address("169.254.169.254"),
        IPv4Address("100.100.100.200"),
        IPv4Address("192.0.0.192"),
        IPv6Address("fd00:ec2::254"),
    }
)


class EgressRefused(Exception):
    """The operator's rules forbid this address. Its text may be shown to the user."""


@dataclass(frozen=True, slots=True)
class Policy:
    """What may be reached besides the public internet.

    allow_private: private, shared and loopback addresses too, but no metadata services or other special ranges.
    allowed_networks: these in any case.
    """

    allow_private: bool = False
    allowed_networks: tuple[Network, ...] = ()

    def check_host(self, host: str) -> None:
        """Judge a host that is an address, in any spelling the system understands, or a name for this machine.

        Other names pass: only their addresses tell.  Raises EgressRefused.
        """
        literal = _literal(host)
        if literal is not None:
            self.check_address(literal)
        elif not self.allow_private and host.rstrip(".").lower().rpartition(".")[2] == "localhost":
            raise EgressRefused(f"{host} is this machine")

    def check_address(self, address: Address) -> None:
        """Raises EgressRefused."""
        if any(address in network for network in self.allowed_networks):
            return
        inner = _embedded(address)
        if inner is not None:
            return self.check_address(inner)
        if address in _METADATA or address.is_link_local:
            raise EgressRefused(f"{address} is a link-local or metadata address")
        if address.is_multicast or address.is_unspecified:
            raise EgressRefused(f"{address} is not an address of a host")
        if address.is_loopback or address.is_private or not address.is_global:
            if self.allow_private:
                return
            raise EgressRefused(f"{address} is not a public address")
        if address.is_reserved or any(address in network for network in _ALSO_REFUSED):
            raise EgressRefused(f"{address} is a reserved address")

    def allowed(self, addresses: list[str]) -> list[str]:
        """Those of a name's addresses that may be called.  Raises EgressRefused if there are some but none may."""
        permitted: list[str] = []
        refusal: EgressRefused | None = None
        for text in addresses:
            try:
                self.check_address(ip_address(text))
            except EgressRefused as error:
                refusal = error
            else:
                permitted.append(text)
        if not permitted and refusal:
            raise refusal
        return permitted


def policy_from_settings() -> Policy:
    """EGRESS_ALLOW_PRIVATE and EGRESS_ALLOWED_NETWORKS, the only place that reads them."""
    from django.conf import settings  # here, so that the rest works without Django

    networks = tuple(ip_network(text, strict=False) for text in settings.EGRESS_ALLOWED_NETWORKS)
    return Policy(allow_private=settings.EGRESS_ALLOW_PRIVATE, allowed_networks=networks)


def _literal(host: str) -> Address | None:
    try:
        return ip_address(host.strip("[]"))
    except ValueError:
        pass
    try:
        # 127.1, 2130706433 and 0x7f.0.0.1 are addresses to the system's resolver, too.
        return IPv4Address(socket.inet_aton(host))
    except (OSError, UnicodeError):
        return None


def _embedded(address: Address) -> IPv4Address | None:
    """The IPv4 address that an IPv6 one leads to: mapped, NAT64, 6to4, Teredo."""
    if isinstance(address, IPv4Address):
        return None
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or (address.teredo[1] if address.teredo else None)
