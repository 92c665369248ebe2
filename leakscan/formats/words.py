"""The result in words: the sentence that says it all, and the small pieces that tables are filled with.

Comes in: the summary object. Goes out: text with captured strings in it as they are: a format passes all of it through
`show` and its own escaping. State: none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from leakscan.formats.rows import Json
from leakscan.model import PARTNER_VERDICTS

#: Names that are not simply the identifier's words.
LABELS = {
    "msisdn": "MSISDN",
    "imsi": "IMSI",
    "imei": "IMEI",
    "iccid": "ICCID",
    "meid_esn": "MEID/ESN",
    "mac": "MAC address",
    "private_ip": "private address",
    "email": "e-mail address",
    "apn_or_network_node": "APN or network node",
    "charging": "charging id",
    "wifi": "Wi-Fi",
    "unknown": "unknown bearer",
}
#: What a kind is, for whoever does not know its name.
MEANINGS = {
    "msisdn": "the subscriber's phone number",
    "imsi": "the number by which networks know the SIM card",
    "imei": "the serial number of the phone",
    "iccid": "the serial number of the SIM card",
    "meid_esn": "the serial number of the phone",
    "subscriber_token": "a code that stands for the subscriber",
    "device_id": "a code that stands for the device",
    "advertising_id": "a code by which advertisers know the device",
    "cell_location": "the radio cell, and so where the phone was",
    "mac": "the hardware number of the device",
    "private_ip": "the phone's address within its network",
    "charging": "the number of a charging record",
}
#: What the policy says of a recipient, the worst first.
VERDICTS = {
    "not-allowed": "not allowed",
    "expired": "partner, expired",
    "no-policy": "no policy given",
    "allowed-but-clear": "partner, but in the clear",
    "allowed": "partner",
}
#: Who put it there.
ORIGINS = {
    "injected": "added on the way by the network",
    "consistent-with-injection": "looks added on the way by the network",
    "client-sent": "sent by the phone or a program on it",
    "unknown": "phone or network: not known",
}
MAX_IN_SENTENCE = 3


def label(word: str) -> str:
    return LABELS.get(word, word.replace("_", " "))


def meant(word: str) -> str:
    """A label with what it means."""
    return f"{label(word)} ({MEANINGS[word]})" if word in MEANINGS else label(word)


def number(count: int) -> str:
    return f"{count:,}"


def plural(count: int, noun: str) -> str:
    return f"{number(count)} {noun}{'' if count == 1 else 's'}"


def people(row: Json) -> str:
    """The subscribers of a row: at least so many, about so many, from one to another number, or a dash when nothing
    tells them apart."""
    if not row["subscribers"]:
        return "-"
    return f"{'~' if row['estimated'] else ''}{_range(row)}"


def _range(row: Json) -> str:
    """Under different keys (`leakscan report`) it is not known who is whom."""
    most = row.get("subscribers_most", 0)
    return (
        f"{number(row['subscribers'])} to {number(most)}" if most > row["subscribers"] else number(row["subscribers"])
    )


def minute(time: str) -> str:
    """RFC 3339 to the minute: `2012-01-10 00:04`."""
    return time[:16].replace("T", " ")


def disguised(identifier: str, *chains: Sequence[str]) -> str:
    """What was found, and what it wore, outermost first: `MSISDN (base64 > hex)`."""
    worn = ", ".join(" > ".join(chain) for chain in chains if chain)
    return f"{label(identifier)} ({worn})" if worn else label(identifier)


def listed(words: Sequence[str], most: int = MAX_IN_SENTENCE) -> str:
    """`a, b and c`; beyond `most`: `a, b, c and 2 more`."""
    words = [*words[:most], f"{len(words) - most} more"] if len(words) > most else list(words)
    return " and ".join(filter(None, (", ".join(words[:-1]), words[-1]))) if words else ""


def carrier(party: Json) -> str:
    """A network or home operator with its country and code: `Example Mobile (GB 999-99)`."""
    code = "-".join(filter(None, (party["mcc"], party["mnc"])))
    inside = " ".join(filter(None, (party["country"], code)))
    return f"{party['name']} ({inside})" if inside else str(party["name"])


def judged(summary: Json) -> bool:
    """Whether there was a policy to judge the recipients by."""
    return bool(summary["total"]["verdicts"].keys() - {"no-policy"})


def is_outside(row: Json) -> bool:
    """Whether some of a row's leaks went to whoever is no partner of the policy."""
    return bool(row["verdicts"].keys() - PARTNER_VERDICTS)


def leaks_outside(row: Json) -> int:
    """How many of a row's leaks went to whoever is no partner of the policy."""
    return sum(count for verdict, count in row["verdicts"].items() if verdict not in PARTNER_VERDICTS)


def counted(summary: Json) -> Json:
    """The row that matters most: what went outside the policy when there is one and something did; else the total."""
    outside: Json = summary["outside"]
    total: Json = summary["total"]
    return outside if judged(summary) and outside["leaks"] else total


def verdicts(row: Json) -> str:
    """The policy's verdicts on a row's leaks, the worst first, with counts when there are several."""
    counts: Mapping[str, int] = row["verdicts"]
    known = [*(name for name in VERDICTS if name in counts), *sorted(counts.keys() - VERDICTS.keys())]
    words = [VERDICTS.get(name, name) for name in known]
    if len(words) == 1:
        return words[0]
    return "; ".join(f"{word}: {number(counts[name])}" for name, word in zip(known, words, strict=True))


def sentence(summary: Json) -> str:
    """The whole result in one sentence; the verdict is its first word, in capitals."""
    says = {"leak": _leak, "inconclusive": _inconclusive, "none-found": _none_found}
    return f"{says[summary['outcome']](summary)} {_readable(summary['coverage'])}"


def behaviour(row: Json) -> str:
    """What one row of `behaviours` did, in a sentence."""
    whose = f" of {people_in_words(row)}" if row["subscribers"] else ""
    hosts = listed(row["hosts"]) if row["host_count"] <= MAX_IN_SENTENCE else _many_hosts(row)
    return (
        f"{label(row['identifier'])}{whose} went in plain HTTP, in {row['place']} {row['name']}, to {hosts} "
        f"{_when(row)}: {plural(row['leaks'], 'leak')}"
    )


def _many_hosts(row: Json) -> str:
    return f"{', '.join(row['hosts'][:MAX_IN_SENTENCE])} and {number(row['host_count'] - MAX_IN_SENTENCE)} more"


def _leak(summary: Json) -> str:
    total, row = summary["total"], counted(summary)
    kinds = listed(
        [label(kind["identifier"]) for kind in summary["identifiers"] if kind["identifier"] in row["identifiers"]]
    )
    whose = f" of {people_in_words(row)}" if row["subscribers"] else ""
    leaks = plural(total["leaks"], "leak")
    if row is not total:
        leaks = f"{plural(row['leaks'], 'leak')} outside the policy, {number(total['leaks'])} in all,"
    return (
        f"LEAK: {kinds}{whose} went in plain HTTP to {_recipients(summary)} {_when(row)}, "
        f"from {_carriers(summary)}, {_bearers(row['bearers'])}: {leaks} in "
        f"{number(total['leaking_requests'])} of {plural(total['requests'], 'readable request')}."
    )


def _recipients(summary: Json) -> str:
    hosts = plural(counted(summary)["host_count"], "host")
    if not judged(summary):
        return hosts
    if summary["outside"]["leaks"]:
        return f"{hosts} outside the policy"
    partners = any(row["partners"] for row in summary["behaviours"])
    return f"{hosts} of partners only" if partners else f"{hosts} of the operator's own only"


def people_in_words(row: Json) -> str:
    noun = "subscriber" if max(row["subscribers"], row.get("subscribers_most", 0)) == 1 else "subscribers"
    return f"{'about' if row['estimated'] else 'at least'} {_range(row)} {noun}"


def _when(total: Json) -> str:
    first, last = minute(total["first_seen"]), minute(total["last_seen"])
    if first == last:
        return f"at {first} UTC"
    return f"from {first} to {last[11:] if last[:10] == first[:10] else last} UTC"


def _carriers(summary: Json) -> str:
    rows = [row for row in summary["carriers"] if row["leaks"]]
    subscribers = [home for row in rows for home in row["home_operators"]]
    if counted(summary) is not summary["total"]:
        rows = [row for row in rows if is_outside(row)]
        subscribers = [home for row in summary["behaviours"] if is_outside(row) for home in row["home_operator"]]
    names = [carrier(row["network"]) for row in rows if row["network"]]
    homes = sorted({carrier(home) for home in subscribers} - set(names))
    also = "also " if names else ""
    if any(not row["network"] for row in rows):
        names.append("unknown networks" if names else "no known network")
    return listed(names) + (f", {also}subscribers of {listed(homes)}" if homes else "")


def _bearers(bearers: Mapping[str, int]) -> str:
    ranked = sorted(bearers, key=lambda bearer: (-bearers[bearer], bearer))
    if len(ranked) == 1:
        return f"on {label(ranked[0])}"
    return "on " + listed([f"{label(bearer)} ({number(bearers[bearer])})" for bearer in ranked])


def _inconclusive(summary: Json) -> str:
    requests = summary["total"]["requests"]
    if not requests:
        return "INCONCLUSIVE: there was no readable request, so nothing can be said."
    return (
        f"INCONCLUSIVE: no leak in {plural(requests, 'readable request')}, but not all that should have been read was."
    )


def _none_found(summary: Json) -> str:
    total = summary["total"]
    hints = f" ({plural(total['leaks'], 'hint')})" if total["leaks"] else ""
    return f"NONE FOUND: no leak in {plural(total['requests'], 'readable request')}{hints}."


def _readable(coverage: Json) -> str:
    """How much could be read at all; never left out, because what is encrypted may hold anything."""
    payload, read = coverage["tcp_payload_bytes"], coverage["examined_bytes"]
    share = f"Readable HTTP was {percent(read, payload)} of the TCP payload" if payload else "There was no TCP payload"
    tls = coverage["tls_streams"]
    hidden = f"; {plural(tls, 'TLS connection')} could not be read" if tls else ""
    unread = "; some of what should have been read was not (see below)" if coverage["losses"]["unread"] else ""
    return f"{share}{hidden}{unread}."


def percent(part: int, whole: int) -> str:
    """Rounded so that 0 % and 100 % are said only when they are true."""
    if part in (0, whole):
        return "0 %" if not part else "100 %"
    share = 100 * part / whole
    if share < 1:
        return "under 1 %"
    return "over 99 %" if share > 99 else f"{share:.0f} %"
