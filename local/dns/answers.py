"""A question in, an answer out, as DNS messages. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from dnslib import CNAME, PTR, QTYPE, RCODE, RR, SOA, SRV, A, DNSError, DNSRecord

from local.dns.zone import Zone

# Names change whenever a pod does, and absence ends just as quickly.
TTL_SECONDS = 1
# Aliases of aliases of aliases, or a circle of them, end here.
LONGEST_CHAIN = 8
PLAIN_UDP_BYTES = 512
LONGEST_UDP_BYTES = 4096


def answer(message: bytes, zone: Zone | None, domain: str, *, is_udp: bool) -> bytes | None:
    """Return the reply; None for what is no DNS question. Without a zone yet: server failure."""
    try:
        question = DNSRecord.parse(message)
    except DNSError:
        return None
    if question.header.qr or not question.questions:
        return None
    reply = question.reply(aa=1, ra=1)
    if zone is None:
        reply.header.rcode = RCODE.SERVFAIL
    else:
        _fill(reply, zone, domain)
    packed: bytes = reply.pack()
    if is_udp and len(packed) > _udp_limit(question):
        packed = reply.truncate().pack()
    return packed


def _fill(reply: DNSRecord, zone: Zone, domain: str) -> None:
    asked = reply.q.qname
    name = str(asked).rstrip(".").lower()
    kind = QTYPE.get(reply.q.qtype)
    if not zone.has(name):
        reply.header.rcode = RCODE.NXDOMAIN
    for owner, data in _followed(zone, name, kind):
        shown = asked if owner == name else owner
        reply.add_answer(
            RR(shown, getattr(QTYPE, type(data).__name__), rdata=data, ttl=TTL_SECONDS)
        )
    if not reply.rr:
        reply.add_auth(_start_of_authority(domain))


def _followed(zone: Zone, name: str, kind: str) -> Iterator[tuple[str, A | CNAME | SRV | PTR]]:
    """Yield the records with the names they are of: of an alias, those of what it means too.

    Who asks does not ask again for what an alias means: that is left to the server.
    """
    for _ in range(LONGEST_CHAIN):
        yield from ((name, data) for data in _records(zone, name, kind))
        if name not in zone.aliases or kind == "CNAME":
            return
        name = zone.aliases[name].rstrip(".").lower()


def _records(zone: Zone, name: str, kind: str) -> list[A | CNAME | SRV | PTR]:
    if name in zone.aliases:
        return [CNAME(zone.aliases[name])]
    match kind:
        case "A" | "ANY":
            return [A(address) for address in zone.addresses.get(name, [])]
        case "SRV":
            targets = zone.services.get(name, [])
            return [SRV(0, 100, target.port, target.name) for target in targets]
        case "PTR":
            return [PTR(zone.pointers[name])] if name in zone.pointers else []
        case _:
            return []


def _start_of_authority(domain: str) -> RR:
    """Tells how long absence may be remembered: not longer than a name."""
    times = (1, 7200, 1800, 86400, TTL_SECONDS)
    data = SOA(f"ns.dns.{domain}", f"hostmaster.{domain}", times)
    return RR(domain, QTYPE.SOA, rdata=data, ttl=TTL_SECONDS)


def _udp_limit(question: DNSRecord) -> int:
    offers: list[int] = [record.rclass for record in question.ar if record.rtype == QTYPE.OPT]
    return min(max([PLAIN_UDP_BYTES, *offers]), LONGEST_UDP_BYTES)
