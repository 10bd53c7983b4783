"""Seccomp profiles as files, and as the OCI runtime gets them."""

import json
import os

# The names of these profiles for what uname -m prints, and the architectures that belong to it.
ARCHITECTURES = {
    "x86_64": ("amd64", ["X86_64", "X86", "X32"]),
    "aarch64": ("arm64", ["AARCH64", "ARM"]),
}
OCI = ("names", "action", "errnoRet", "args")


class Unknown(Exception):
    """A file that is no profile, or a machine that is not listed."""


def read(path):
    try:
        profile = json.loads(path.read_text(encoding="utf-8"))
        profile["syscalls"], profile["defaultAction"]
    except (OSError, ValueError, KeyError) as why:
        raise Unknown(f"'{path}' is no seccomp profile: {why!r}") from why
    return profile


def rule(entry):
    """The fields of an OCI rule; containerd and this module drop the others."""
    return {key: entry[key] for key in OCI if entry.get(key) not in (None, [])}


def flat(path):
    """A Localhost profile: containerd reads it as the OCI form, whatever else stands in it."""
    profile = read(path)
    if any("includes" in entry or "excludes" in entry for entry in profile["syscalls"]):
        raise Unknown(f"'{path}' has conditions, which containerd does not read in a "
                      "Localhost profile")
    made = {key: profile[key] for key in ("defaultAction", "defaultErrnoRet", "architectures")
            if profile.get(key) is not None}
    made["syscalls"] = [rule(entry) for entry in profile["syscalls"]]
    return made


def applies(conditions, arch, caps):
    """Whether each of the "includes" or "excludes" holds for this machine and pod."""
    found = []
    if conditions.get("arches"):
        found.append(arch in conditions["arches"])
    if conditions.get("caps"):
        found += [cap in caps for cap in conditions["caps"]]
    if conditions.get("minKernel"):
        version = os.uname().release.split("-")[0].split(".")
        found.append([int(v) for v in version[:2]]
                     >= [int(v) for v in conditions["minKernel"].split(".")[:2]])
    return found


def evaluate(path, caps, machine):
    """A runtime's default profile for these capabilities.

    Moby and containers-common ship it with conditions; what "ctr container info" prints of
    containerd's is in the OCI form already.
    """
    profile = read(path)
    if machine not in ARCHITECTURES:
        raise Unknown(f"no seccomp architectures are known for '{machine}'")
    arch, architectures = ARCHITECTURES[machine]
    made = {
        "defaultAction": profile["defaultAction"],
        "architectures": ["SCMP_ARCH_" + name for name in architectures],
        "syscalls": [],
    }
    if profile.get("defaultErrnoRet") is not None:
        made["defaultErrnoRet"] = profile["defaultErrnoRet"]
    for entry in profile["syscalls"]:
        includes = applies(entry.get("includes") or {}, arch, caps)
        excludes = applies(entry.get("excludes") or {}, arch, caps)
        if all(includes) and not any(excludes):
            made["syscalls"].append(rule(entry))
    return made
