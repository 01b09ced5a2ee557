"""Which addresses an alert may go to: public ones, and no others.

The check is of the address that is connected to, not of a name or of a notation. ``127.1``,
``0x7f000001``, ``[::ffff:10.0.0.1]`` and a name that means 10.0.0.1 are looked up first.
"""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address

_UNICAST = IPv6Network("2000::/3")
"""The only part of IPv6 that is in use for hosts of the internet."""

_NEVER = tuple(
    map(
        IPv6Network,
        (
            "2001::/23",  # protocols: Teredo, benchmarks, ORCHID
            "2001:db8::/32",  # examples
            "2002::/16",  # 6to4: an IPv4 address inside, private ones too
            "3fff::/20",  # examples
        ),
    )
)
_NEVER_4 = tuple(
    map(
        IPv4Network,
        (
            "168.63.129.16/32",  # the metadata service of Azure
            "192.0.0.0/24",  # protocols, and the metadata service of Oracle
            "192.88.99.0/24",  # relays of 6to4
        ),
    )
)


def is_public(text: str) -> bool:
    """Whether an address, as the system gives it, is one of a host of the public internet.

    IPv6 addresses with an IPv4 address inside (mapped, NAT64, 6to4, Teredo) are not.
    """
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return False
    if not address.is_global or address.is_multicast:
        return False
    if isinstance(address, IPv6Address):
        return address in _UNICAST and not any(address in network for network in _NEVER)
    return not (address.is_reserved or any(address in network for network in _NEVER_4))
