#!/usr/bin/env python3
"""Make an image in the layout of OCI, without any program of the field.

    image_layout.py DIR TAG --layer TAR... [--odd] [--strange KIND]... [--config JSON]

--odd adds three layers with what layers may hold and what hostile ones do, --strange one with a
member that is at an edge, or beyond:

    long        a path of 3000 bytes, and a link as long
    name        a name of 256 bytes
    path        a path of more than 4096 bytes
    huge        a member of 9 GiB, as its header says, and nothing of it
    negative    one of less than no bytes
    link:PATH   a hard link to PATH

An image of the same name is replaced; others of the layout stay.
"""
import argparse
import gzip
import hashlib
import io
import json
import os
import tarfile

# Version 2 of a file capability, cap_net_raw=ep: magic with the effective bit, two 32-bit
# sets of permitted and inheritable ones (linux/capability.h).
CAP_NET_RAW = bytes.fromhex("01000002" "00200000" "00000000" "00000000" "00000000")


class Layer:
    def __init__(self):
        self.out = io.BytesIO()
        self.tar = tarfile.open(fileobj=self.out, mode="w", format=tarfile.PAX_FORMAT)

    def add(self, name, kind=tarfile.REGTYPE, data=b"", mode=0o644, uid=0, gid=0, **more):
        info = tarfile.TarInfo(name)
        info.type, info.mode, info.uid, info.gid, info.size = kind, mode, uid, gid, len(data)
        info.linkname = more.pop("link", "")
        info.devmajor, info.devminor = more.pop("dev", (0, 0))
        info.pax_headers = {
            "SCHILY.xattr." + k: v.decode("utf-8", "surrogateescape")
            for k, v in more.pop("xattr", {}).items()
        }
        assert not more
        self.tar.addfile(info, io.BytesIO(data))

    def dir(self, name, **more):
        self.add(name, tarfile.DIRTYPE, mode=more.pop("mode", 0o755), **more)

    def bytes(self):
        self.tar.close()
        return self.out.getvalue()


def odd_layers():
    one = Layer()
    for name in ("odd", "odd/opaque", "odd/opaque/old", "odd/gone-dir", "odd/volume"):
        one.dir(name)
    one.add("odd/opaque/old/file", data=b"below")
    one.add("odd/gone", data=b"below")
    one.add("odd/gone-dir/file", data=b"below")
    one.add("odd/replaced", data=b"below")
    one.add("odd/linked", data=b"one inode", mode=0o640)
    one.add("odd/link", tarfile.LNKTYPE, link="odd/linked")
    one.add("odd/setuid", data=b"x", mode=0o4755)
    one.add("odd/setgid", data=b"x", mode=0o2755, gid=42)
    one.add("odd/caps", data=b"x", mode=0o755, xattr={"security.capability": CAP_NET_RAW})
    one.add("odd/user-xattr", data=b"x", xattr={"user.origin": b"image"})
    one.add("odd/owned", data=b"x", uid=12345, gid=54321)
    one.add("odd/sparse", data=b"\0" * (8 << 20) + b"end")
    one.add("odd/fifo", tarfile.FIFOTYPE)
    one.add("odd/null", tarfile.CHRTYPE, mode=0o666, dev=(1, 3))
    one.add("odd/disk", tarfile.BLKTYPE, mode=0o660, dev=(8, 0))
    one.dir("odd/sticky", mode=0o1777)
    one.dir("odd/mine", mode=0o700, uid=1000, gid=1000)
    one.add("odd/volume/seed", data=b"from the image", uid=1000, gid=1000, mode=0o600)
    one.add("odd/out", tarfile.SYMTYPE, link="../../../../../../../../../../tmp")
    one.add("odd/absolute", tarfile.SYMTYPE, link="/tmp")
    two = Layer()
    two.add("odd/.wh.gone")
    two.add("odd/.wh.gone-dir")
    two.dir("odd/opaque")
    two.add("odd/opaque/.wh..wh..opq")
    two.add("odd/opaque/new", data=b"above")
    two.dir("odd/replaced")
    two.add("odd/replaced/inside", data=b"above")
    three = Layer()
    # Through links of the layers below: into the image's own /tmp, or nowhere.
    three.add("odd/out/through-link", data=b"hostile")
    three.add("odd/absolute/through-absolute", data=b"hostile")
    three.add("../../../../../../../../../../tmp/through-dots", data=b"hostile")
    return [one.bytes(), two.bytes(), three.bytes()]


def strange_layer(kind):
    """A layer with one strange member."""
    kind, _, path = kind.partition(":")
    layer = Layer()
    layer.dir("strange")
    if kind == "long":
        at = "strange"
        for c in "abcdefghijklmno":
            at += "/" + c * 199
            layer.dir(at)
        layer.add(at + "/file", data=b"at its end")
        layer.add("strange/link", tarfile.SYMTYPE, link=at + "/file")
    elif kind == "name":
        layer.add("strange/" + "n" * 256, data=b"x")
    elif kind == "path":
        layer.add("/".join(["strange"] + ["p" * 199] * 21), data=b"x")
    elif kind == "link":
        layer.add("strange/link", tarfile.LNKTYPE, link=path)
    else:
        # Sizes that no data follows: "huge" needs another header for its own, "negative" has one.
        info = tarfile.TarInfo("strange/file")
        info.size = {"huge": 9 << 30, "negative": 0}[kind]
        info.pax_headers = {"size": "-5"} if kind == "negative" else {}
        layer.tar.addfile(info)
        layer.tar.offset = layer.out.tell()
    return layer.bytes()


class Layout:
    def __init__(self, path):
        self.path = path
        os.makedirs(os.path.join(path, "blobs", "sha256"), exist_ok=True)
        with open(os.path.join(path, "oci-layout"), "w") as f:
            f.write('{"imageLayoutVersion":"1.0.0"}')

    def blob(self, data, media):
        digest = hashlib.sha256(data).hexdigest()
        with open(os.path.join(self.path, "blobs", "sha256", digest), "wb") as f:
            f.write(data)
        return {"mediaType": media, "digest": "sha256:" + digest, "size": len(data)}

    def image(self, tag, layers, config):
        descriptors, diffs = [], []
        for data in layers:
            diffs.append("sha256:" + hashlib.sha256(data).hexdigest())
            packed = gzip.compress(data, compresslevel=1, mtime=0)
            descriptors.append(
                self.blob(packed, "application/vnd.oci.image.layer.v1.tar+gzip"))
        document = {"architecture": "amd64", "os": "linux", "config": config,
                    "rootfs": {"type": "layers", "diff_ids": diffs}}
        machine = os.uname().machine
        document["architecture"] = {"x86_64": "amd64", "aarch64": "arm64"}.get(machine, machine)
        manifest = {
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": self.blob(json.dumps(document).encode(),
                                "application/vnd.oci.image.config.v1+json"),
            "layers": descriptors,
        }
        return self.blob(json.dumps(manifest).encode(),
                         "application/vnd.oci.image.manifest.v1+json"), tag

    def tag(self, descriptor, tag):
        path = os.path.join(self.path, "index.json")
        index = {"schemaVersion": 2, "manifests": []}
        if os.path.exists(path):
            with open(path) as f:
                index = json.load(f)
        name = "org.opencontainers.image.ref.name"
        index["manifests"] = [m for m in index["manifests"] if m["annotations"][name] != tag]
        index["manifests"].append(dict(descriptor, annotations={name: tag}))
        with open(path + ".new", "w") as f:
            json.dump(index, f)
        os.replace(path + ".new", path)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("dir")
    parser.add_argument("tag")
    parser.add_argument("--layer", action="append", default=[])
    parser.add_argument("--odd", action="store_true")
    parser.add_argument("--strange", action="append", default=[])
    parser.add_argument("--config", default="{}")
    args = parser.parse_args()
    layers = []
    for path in args.layer:
        with open(path, "rb") as f:
            layers.append(f.read())
    if args.odd:
        layers += odd_layers()
    layers += map(strange_layer, args.strange)
    layout = Layout(args.dir)
    descriptor, tag = layout.image(args.tag, layers, json.loads(args.config))
    layout.tag(descriptor, tag)
    print(descriptor["digest"])


main()
