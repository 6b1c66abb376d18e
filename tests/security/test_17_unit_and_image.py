"""What the unit takes away from a daemon that was taken over, so that nobody gives it back."""

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
UNIT = [
    line.partition("=")[::2]
    for line in (ROOT / "packaging" / "livedub.service").read_text(encoding="utf-8").splitlines()
    if line and line[0] not in "#["
]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DynamicUser", "yes"),
        ("NoNewPrivileges", "yes"),
        ("CapabilityBoundingSet", ""),
        ("SystemCallFilter", "@system-service"),
        ("RestrictNamespaces", "yes"),
        ("ProtectSystem", "strict"),
        ("ProtectProc", "invisible"),
        ("PrivateTmp", "yes"),
        ("UMask", "0077"),
        ("LimitNOFILE", "65536"),
        ("IPAddressDeny", "link-local multicast"),
    ],
)
def test_the_unit_takes_it_away(name: str, value: str) -> None:
    assert [given for known, given in UNIT if known == name] == [value]


def test_what_it_needs_is_there() -> None:
    writable = "/var/lib/livedub"
    state = dict(UNIT)["StateDirectory"]
    folders = [given.partition("=")[2] for name, given in UNIT if name == "Environment"]
    assert state == "livedub" and all(folder.startswith(writable) for folder in folders)
    assert {given.partition("=")[0] for name, given in UNIT if name == "Environment"} == {
        "LIVEDUB_CACHE",
        "HF_HOME",
    }


def test_the_image_has_a_user_and_says_what_else_to_take_away() -> None:
    image = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    assert "\nUSER livedub\n" in image
    for flag in ("--read-only", "--cap-drop ALL", "no-new-privileges", "--memory"):
        assert flag in image.partition("FROM")[0]
