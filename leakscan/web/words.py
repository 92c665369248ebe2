"""What the page says of a visit, in words that need no explaining.

Comes in: a Visit. Goes out: sentences of our own; nothing captured is in them but the name of a network. State: none.
"""

from __future__ import annotations

from collections.abc import Mapping

from leakscan.formats.words import carrier, listed
from leakscan.model import CONFIDENCES
from leakscan.summary import INCONCLUSIVE, LEAK
from leakscan.web.visit import Finding, Visit

#: Kind of identifier -> what it is to the one whom it identifies.
KINDS: Mapping[str, str] = {
    "msisdn": "your phone number",
    "imsi": "the number of your SIM card (IMSI)",
    "imei": "the serial number of your phone (IMEI)",
    "iccid": "the serial number of your SIM card (ICCID)",
    "meid_esn": "the serial number of your phone (MEID or ESN)",
    "subscriber_token": "a code that stands for you",
    "device_id": "a number that stands for your device",
    "advertising_id": "a number by which advertisers know your device",
    "mac": "the hardware address of your device (MAC)",
    "email": "your e-mail address",
    "private_ip": "your address inside the network",
    "cell_location": "where you are: the radio cell that your phone is in",
    "apn_or_network_node": "which part of the network serves you",
    "subscriber_profile": "what kind of customer you are",
    "charging": "a code that your operator bills you by",
    "device_model": "the model of your device",
}
_ELSE = "something about you"

TITLE = "What did your network tell this website?"
NOTHING = "Nothing that we know of was added to this request."
UNSURE = "This request cannot tell: we found nothing that we know of, but it {}."

_CLIENT_SIDE = "client-sent"


def kind(identifier: str) -> str:
    return KINDS.get(identifier, _ELSE)


def capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def verdict(visit: Visit) -> str:
    """The one sentence. It never says that somebody is safe."""
    if visit.outcome == LEAK:
        return _told([found for found in visit.findings if found.masked.confidence != CONFIDENCES[0]])
    return UNSURE.format(visit.because[0]) if visit.outcome == INCONCLUSIVE else NOTHING


def _told(findings: list[Finding]) -> str:
    """Of what the network wrote, if it wrote any; else of what the device sent."""
    network = [found for found in findings if not _from_device(found)]
    who, what = ("Your network", network) if network else ("Your device, or an app on it,", findings)
    certain = any(found.masked.confidence == CONFIDENCES[-1] for found in what)
    kinds = list(dict.fromkeys(kind(found.masked.identifier) for found in what))
    return f"{who} {'told' if certain else 'probably told'} this website {listed(kinds)}."


def _from_device(found: Finding) -> bool:
    return found.masked.origin == _CLIENT_SIDE or found.added_by in ("app", "device")


def who(found: Finding) -> str:
    """Who may have added it, and how sure that is."""
    leak = found.masked
    if _from_device(found):
        return "Your device, or an app on it; not the network."
    if leak.origin == "injected":
        said = "Somebody on the way between you and this website: that is proved."
    elif found.added_by == "proxy":
        said = "A proxy on the way: of your network, your company or your browser."
    elif found.added_by == "network":
        said = "Most likely your mobile network: others are not known to write this."
    else:
        said = "Somebody on the way, or an app on your device: this name is not known to us."
    if leak.network is not None:
        said += f" It points to {carrier(_party(leak.network))}."
    if leak.home_operator is not None:
        said += f" Your operator seems to be {carrier(_party(leak.home_operator))}."
    return said


def _party(network: object) -> dict[str, object]:
    return {key: getattr(network, key) for key in ("name", "country", "mcc", "mnc")}


def sureness(found: Finding) -> str:
    return {"confirmed": "Sure", "probable": "Probable", "hint": "Only a hint"}[found.masked.confidence]
