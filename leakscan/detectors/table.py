"""The checks by the names that the catalogue has for them. One file for each kind of identifier; no state."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from leakscan.detectors import (
    address,
    charging,
    device,
    iccid,
    imei,
    imsi,
    location,
    meid,
    msisdn,
    node,
    profile,
    token,
)
from leakscan.detectors.catalogue import Signature
from leakscan.detectors.verdict import Verdict


class Detector(NamedTuple):
    """A check, and the identifier it finds when a signature asks for several formats; "" for the signature's own."""

    check: Callable[[str, Signature], Verdict]
    identifier: str = ""
    #: Of a valid value: whether it can hardly be chance, and whether another reading may still be the better one. Only
    #: checks that have the first look for pieces and for digits read another way.
    is_sure: Callable[[Verdict], bool] | None = None
    is_doubtful: Callable[[Verdict], bool] | None = None


#: Not a check: a list of `name=value` attributes, each looked up by its own name.
ATTRIBUTES = "attributes"
#: Format in the catalogue -> its check.
DETECTORS: Mapping[str, Detector] = {
    "msisdn": Detector(msisdn.check, "msisdn", msisdn.is_sure, msisdn.is_doubtful),
    "msisdn-strict": Detector(msisdn.check_strict, "msisdn"),
    "msisdn-national": Detector(msisdn.check_national, "msisdn"),
    "msisdn-without-code": Detector(msisdn.check_without_code, "msisdn"),
    "imsi": Detector(imsi.check, "imsi", imsi.is_sure),
    "imsi-strict": Detector(imsi.check_strict, "imsi"),
    "imsi-alone": Detector(imsi.check_alone, "imsi"),
    "imei": Detector(imei.check, "imei", imei.is_sure, imei.is_doubtful),
    "imei-strict": Detector(imei.check_strict, "imei"),
    "imei-digest": Detector(imei.check_digest, "imei"),
    "iccid": Detector(iccid.check, "iccid", iccid.is_sure),
    "iccid-strict": Detector(iccid.check_strict, "iccid"),
    "eid": Detector(iccid.check_eid, "iccid"),
    "iccid-docomo": Detector(iccid.check_docomo, "iccid"),
    "meid": Detector(meid.check, "meid_esn", meid.is_sure),
    "meid-strict": Detector(meid.check_strict, "meid_esn"),
    "meid-jphone": Detector(meid.check_jphone, "meid_esn"),
    "opaque": Detector(token.check_opaque),
    "encrypted": Detector(token.check_encrypted),
    "uidh": Detector(token.check_uidh),
    "acr": Detector(token.check_acr),
    "vf-acr": Detector(token.check_vf_acr),
    "asid": Detector(token.check_asid),
    "subno": Detector(token.check_subno),
    "sprint": Detector(token.check_sprint),
    "nai": Detector(token.check_nai),
    "supi": Detector(token.check_supi),
    "login": Detector(token.check_login),
    "dcm-guid": Detector(token.check_dcm_guid),
    "docomo-uid": Detector(token.check_docomo_uid),
    "guid-switch": Detector(token.check_guid_switch),
    "jphone-uid": Detector(token.check_jphone_uid),
    "em-uid": Detector(token.check_em_uid),
    "address": Detector(address.check),
    "forwarded": Detector(address.check_forwarded),
    "uli": Detector(location.check_uli),
    "access-network": Detector(location.check_access_network),
    "plmn": Detector(location.check_plmn),
    "mcc": Detector(location.check_mcc),
    "mnc": Detector(location.check_mnc),
    "zone": Detector(location.check_zone),
    "coordinate": Detector(location.check_coordinate),
    "stamp": Detector(location.check_stamp),
    "country": Detector(location.check_country),
    "node-address": Detector(node.check_address),
    "apn": Detector(node.check_apn),
    "node-text": Detector(node.check_text),
    "via": Detector(node.check_via),
    "carrier-mode": Detector(node.check_carrier_mode),
    "flag": Detector(profile.check_flag),
    "bearer": Detector(profile.check_bearer),
    "characteristics": Detector(profile.check_characteristics),
    "profile-text": Detector(profile.check_text),
    "charging-id": Detector(charging.check_id),
    "charging-session": Detector(charging.check_session),
    "android-id": Detector(device.check_android_id),
    "uuid": Detector(device.check_uuid),
    "udid": Detector(device.check_udid),
    "pin": Detector(device.check_pin),
    "mac": Detector(device.check_mac),
    "email": Detector(device.check_email),
    "model": Detector(device.check_model),
}
#: Formats that say yes to what is not theirs, so the others of a signature are asked first.
TAKE_ANYTHING = frozenset(("opaque", "encrypted", "login", "profile-text", "node-text"))
FORMATS = frozenset((*DETECTORS, ATTRIBUTES))
