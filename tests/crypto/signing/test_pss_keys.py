"""The parameters of id-RSASSA-PSS keys (RFC 4055 §3.1), as other programs write them."""

from __future__ import annotations

import pytest

from kms_tornado.crypto.signing.pss_keys import PSSLimits, read_pss_limits
from kms_tornado.errors import MalformedKey, UnsupportedCryptographicParameters
from kms_tornado.kmip.enums import HashingAlgorithm as H

SHA_256 = "300d06096086480165030402010500"
SHA_512 = "300b0609608648016503040203"  # without NULL, which RFC 4055 §2.1 has readers take, too
MGF1 = "06092a864886f70d010108"


@pytest.mark.parametrize(
    ("parameters", "limits"),
    [
        pytest.param("", None, id="none"),
        pytest.param("3000", PSSLimits(H.SHA_1, H.SHA_1, 20), id="all by default"),
        pytest.param(
            f"3034a00f{SHA_256}a11c301a{MGF1}{SHA_256}a203020120",
            PSSLimits(H.SHA_256, H.SHA_256, 32),
            id="as openssl writes them",
        ),
        pytest.param(
            f"302da00d{SHA_512}a11c301a{MGF1}{SHA_256}",
            PSSLimits(H.SHA_512, H.SHA_256, 20),
            id="two hashes",
        ),
        pytest.param("3005a303020101", PSSLimits(H.SHA_1, H.SHA_1, 20), id="trailer field"),
    ],
)
def test_limits_of_a_key_are_read(parameters, limits):
    assert read_pss_limits(bytes.fromhex(parameters)) == limits


@pytest.mark.parametrize(
    ("parameters", "error"),
    [
        pytest.param("3005a303020102", UnsupportedCryptographicParameters, id="another trailer"),
        pytest.param(
            "300ea00c300a06082a864886f70d0205", UnsupportedCryptographicParameters, id="MD5"
        ),
        pytest.param(
            f"3013a111300f{MGF1[:-2]}0930020600", UnsupportedCryptographicParameters, id="no MGF1"
        ),
        pytest.param("3005a203020180", MalformedKey, id="negative length of the salt"),
        pytest.param("3005a403020101", MalformedKey, id="a field more"),
        pytest.param("3002a000", MalformedKey, id="empty field"),
        pytest.param("300000", MalformedKey, id="more behind it"),
    ],
)
def test_odd_limits_are_refused(parameters, error):
    with pytest.raises(error):
        read_pss_limits(bytes.fromhex(parameters))
