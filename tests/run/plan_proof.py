#!/usr/bin/env python3
"""Proves that a launch does what its plan says, and nothing else.

usage: plan_proof.py PLAN.json TRACE

PLAN.json is the output of "berth plan --format json", TRACE that of "strace -f -y" around
"berth run" with the same options. For each of the three processes the trace's calls that
change something (births, namespaces, mounts, writes below /proc, /sys and the cgroup
tree, host name, limits, files of the workspace) are taken in order and eaten up by the
plan's steps in order. A call that no step eats is a failure, and so is a step that finds
nothing to eat. What a step eats is written down here, from the manual pages, not taken
from the program.
"""
import json
import re
import sys

LINE = re.compile(r"^(\d+) +(\w+)\((.*)\) += (-?\d+|\?)(.*)$")
UNFINISHED = re.compile(r"^(\d+) +(\w+)\((.*) <unfinished \.\.\.>$")
RESUMED = re.compile(r"^(\d+) +<\.\.\. (\w+) resumed>(.*)$")

NAMESPACES = {"user": "CLONE_NEWUSER", "mnt": "CLONE_NEWNS", "pid": "CLONE_NEWPID",
              "net": "CLONE_NEWNET", "ipc": "CLONE_NEWIPC", "uts": "CLONE_NEWUTS",
              "cgroup": "CLONE_NEWCGROUP"}
MOUNT_ATTRIBUTES = {"ro": "MOUNT_ATTR_RDONLY", "nosuid": "MOUNT_ATTR_NOSUID",
                    "nodev": "MOUNT_ATTR_NODEV", "noexec": "MOUNT_ATTR_NOEXEC"}


class Call:
    def __init__(self, number, pid, name, args, result):
        self.number, self.pid, self.name, self.args, self.result = \
            number, pid, name, args, result

    def __str__(self):
        return f"line {self.number}: {self.name}({self.args[:300]}) = {self.result}"

    def path(self, nth=0):
        """What strace -y says about the nth descriptor of the arguments."""
        found = re.findall(r"\b(?:AT_FDCWD|\d+)<([^>]*)>", self.args)
        return found[nth] if len(found) > nth else ""

    def netlink(self):
        """The types of the messages, rtnetlink(7), that change something: no RTM_GET*."""
        found = [int(t, 16) for t in re.findall(r"nlmsg_type=(0x[0-9a-f]+)", self.args)]
        return {t for t in found if not (t < 0x100 and t % 4 == 2)}

    def texts(self):
        return [t.encode().decode("unicode_escape")
                for t in re.findall(r'"((?:[^"\\]|\\.)*)"', self.args)]


def read_trace(file):
    pending, calls = {}, []
    for number, line in enumerate(file, 1):
        line = line.rstrip("\n")
        match = UNFINISHED.match(line)
        if match:
            pending[match[1]] = (number, match[2], match[3])
            continue
        match = RESUMED.match(line)
        if match:
            start, name, begin = pending.pop(match[1])
            line = f"{match[1]} {name}({begin}{match[3]}"
            number = start
        match = LINE.match(line)
        if match and match[4] != "?":
            calls.append(Call(number, match[1], match[2], match[3], int(match[4])))
    # A birth stands where it began, not where the parent was told.
    return sorted(calls, key=lambda c: c.number)


def matters(call, actor):
    """Whether the plan has to answer for this call."""
    name, args = call.name, call.args
    if call.result < 0:
        return False
    if name in ("clone", "clone3", "fork", "vfork"):
        return "NULL, 0" != args
    if name in ("unshare", "setns", "mount", "umount2", "pivot_root", "move_mount", "open_tree",
                "fsopen", "fsconfig", "fsmount", "fspick", "mount_setattr", "sethostname",
                "setdomainname", "seccomp", "execve", "memfd_create"):
        return True
    if name in ("prlimit64", "setrlimit"):
        return not re.search(r", NULL, \{", args) and not args.endswith("NULL, NULL")
    if name == "write":
        return re.match(r"^\d+<(/proc|/sys)/", args) is not None
    if name in ("mkdirat", "mkdir", "mknodat"):
        return actor != "supervisor" or "/cgroup" in args
    if name == "symlinkat":
        return True
    if name == "openat":
        return "O_CREAT" in args and actor != "supervisor"
    if name == "ioctl":
        return "SIOCSIF" in args
    if name == "bind":
        return actor == "init" or actor == "supervisor" and "AF_INET" in args
    if name == "prctl":
        return actor == "init" and "PR_CAPBSET_DROP" in args
    if name == "socket":  # what it asks the kernel with, or lets others ask with
        return actor == "init" and "AF_NETLINK" in args
    if name == "sendto":
        return bool(call.netlink())
    if name == "sendmsg":  # the root; the other descriptor it sends is init's pidfd
        return actor == "warden" and re.search(r"cmsg_data=\[\d+</", args) is not None
    return False


class Mismatch(Exception):
    pass


class Eater:
    """The calls of one process, eaten in order by the steps of its part of the plan."""

    def __init__(self, calls):
        self.calls, self.at = calls, 0

    def peek(self):
        return self.calls[self.at] if self.at < len(self.calls) else None

    def eat(self, name, test, wanted):
        call = self.peek()
        if call is None or call.name != name or not test(call):
            raise Mismatch(f"wanted {wanted}, found {call}")
        self.at += 1
        return call

    def maybe(self, name, test):
        call = self.peek()
        if call is not None and call.name == name and test(call):
            self.at += 1
            return True
        return False


def flags_of(call, prefix):
    return set(re.findall(prefix + r"\w+", call.args))


def write_to(eater, ending, content):
    eater.eat("write", lambda c: c.path().endswith(ending) and c.texts()[0] == content,
              f"{content!r} written to {ending}")


def make_target(eater, target):
    """Mount points that are missing are made, with the directories above."""
    for part in [p for p in target.split("/") if p]:
        if not eater.maybe("mkdirat", lambda c, p=part: c.texts()[0] == p):
            eater.maybe("openat", lambda c, p=part: c.texts()[0] == p and "O_CREAT" in c.args)


def place(call):
    """Where move_mount() puts it: on a descriptor, or by a name in one."""
    return "/".join([call.path(1)] + [t for t in call.texts()[1:] if t])


def attach(eater, target):
    make_target(eater, target)
    eater.eat("move_mount", lambda c: place(c).endswith(target.rstrip("/")),
              f"a mount moved to {target}")


def attributes(step):
    return {MOUNT_ATTRIBUTES[f] for f in step.get("flags", "").split(",") if f}


def clone_tree(eater, source, step, recursive=None):
    call = eater.eat("open_tree", lambda c: c.path().endswith(source) and
                     "OPEN_TREE_CLONE" in c.args, f"a bind of {source}")
    if recursive is not None and ("AT_RECURSIVE" in call.args) != recursive:
        raise Mismatch(f"recursive is not {recursive}: {call}")
    if attributes(step):
        eater.eat("mount_setattr",
                  lambda c: flags_of(c, "MOUNT_ATTR_") == attributes(step),
                  f"attributes {attributes(step)}")


def new_mount(eater, fstype, options, wanted):
    eater.eat("fsopen", lambda c: c.texts()[0] == fstype, f"a new {fstype}")
    for option in [o for o in (options or "").split(",") if o]:
        eater.eat("fsconfig", lambda c, o=option: "=".join(c.texts()) == o, f"option {option}")
    eater.maybe("fsconfig", lambda c: c.texts()[:1] == ["source"])
    eater.eat("fsconfig", lambda c: "FSCONFIG_CMD_CREATE" in c.args, f"{fstype} made")
    eater.eat("fsmount", lambda c: flags_of(c, "MOUNT_ATTR_") == wanted,
              f"{fstype} mounted with {wanted}")


def step_spawn(eater, step):
    wanted = {NAMESPACES[n] for n in step["flags"].split()}
    name = "clone" if eater.peek() and eater.peek().name == "clone" else "clone3"
    call = eater.eat(name, lambda c: flags_of(c, "CLONE_NEW") == wanted,
                     f"a birth with {wanted}")
    if ("CLONE_INTO_CGROUP" in call.args) != bool(step.get("number")):
        raise Mismatch(f"cgroup of {call}")


def step_map(eater, step):
    if step["via"] != "write":
        for helper in ("uid", "gid"):
            eater.eat("vfork", lambda c: True, f"new{helper}map")
        return
    eater.maybe("write", lambda c: c.path().endswith("/setgroups") and c.texts()[0] == "deny")
    write_to(eater, "/uid_map", step["value"])
    write_to(eater, "/gid_map", step["source"])


def step_cgroup_leaf(eater, step):
    eater.maybe("mkdirat", lambda c: c.texts()[0] == step["target"])
    wanted = "/" + step["target"] + "/cgroup.procs"
    eater.eat("write", lambda c: c.path().endswith(wanted), f"a process moved to {wanted}")
    while eater.maybe("write", lambda c: c.path().endswith(wanted)):
        pass


def step_cgroup_enable(eater, step):
    ending = "/cgroup.subtree_control"
    if step["target"] != ".":
        ending = "/" + step["target"] + ending
    write_to(eater, ending, step["value"])


def step_hide(eater, step):
    new_mount(eater, "tmpfs", "mode=0755", attributes(step))
    eater.eat("move_mount", lambda c: c.path(1).endswith("/berth"), "berth's records covered")


def step_root(eater, step):
    if step.get("via") == "store":
        make_target(eater, "/root")
        clone_tree(eater, "/root", step, False)
        attach(eater, step["source"])
        return
    if step["source"] != "tmpfs":
        clone_tree(eater, step["source"], step, True)
        attach(eater, step["source"])
        return
    new_mount(eater, "tmpfs", "mode=0755", {"MOUNT_ATTR_NODEV"})
    eater.eat("move_mount", lambda c: True, "the tmpfs attached")
    make_target(eater, "/root")
    make_target(eater, "/store")
    for name in ("/root", "/store"):
        clone_tree(eater, name, {}, False)
        eater.eat("move_mount", lambda c: True, f"{name} attached")
    eater.eat("mount_setattr", lambda c: "propagation=MS_UNBINDABLE" in c.args,
              "the store kept out of volumes")


def step_overlay(eater, step):
    make_target(eater, "/" + step["value"])
    make_target(eater, "/" + step["via"])
    eater.eat("fsopen", lambda c: c.texts()[0] == "overlay", "a new overlay")
    eater.maybe("fsconfig", lambda c: c.texts()[:1] == ["source"])
    for key in ("lowerdir", "upperdir", "workdir", "userxattr"):
        eater.eat("fsconfig", lambda c, k=key: c.texts()[0] == k, key)
    eater.eat("fsconfig", lambda c: "FSCONFIG_CMD_CREATE" in c.args, "overlay made")
    eater.eat("fsmount", lambda c: True, "overlay mounted")
    attach(eater, step["target"])


def step_mount(eater, step):
    new_mount(eater, step["via"], step.get("value"), attributes(step))
    attach(eater, step["target"])


def step_bind(eater, step):
    if step.get("via") == "store":
        make_target(eater, "/" + step["source"])
    clone_tree(eater, step["source"], step, bool(step.get("number")))
    attach(eater, step["target"])


def leaf_of(step):
    return step["target"].rsplit("/", 1)[1]


def parents(eater, step):
    make_target(eater, step["target"].rsplit("/", 1)[0])


def step_device(eater, step):
    above = step["target"].rsplit("/", 1)[0]
    call = eater.eat("open_tree", lambda c: c.texts()[:1] == [step["source"]] and
                     "OPEN_TREE_CLONE" in c.args, f"a bind of {step['source']}")
    if "AT_RECURSIVE" in call.args:
        raise Mismatch(f"recursive: {call}")
    parents(eater, step)
    eater.maybe("mknodat", lambda c: c.path().endswith(above) and
                c.texts()[:1] == [leaf_of(step)] and "S_IFREG" in c.args)
    attach(eater, step["target"])


def step_directory(eater, step):
    parents(eater, step)
    eater.maybe("mkdirat", lambda c: c.texts()[0] == leaf_of(step))


def step_file(eater, step):
    parents(eater, step)
    eater.eat("openat", lambda c: c.texts()[0] == leaf_of(step) and "O_CREAT" in c.args,
              f"{step['target']} made")


def step_link(eater, step):
    parents(eater, step)
    eater.maybe("symlinkat", lambda c: c.texts() == [step["value"], leaf_of(step)])


def step_copy(eater, step):
    parents(eater, step)
    while eater.peek() and eater.peek().name in ("openat", "mkdirat", "symlinkat") and \
            (eater.peek().texts()[-1] == leaf_of(step) or
             ("/" + leaf_of(step)) in eater.peek().path(-1 if eater.peek().name == "symlinkat"
                                                        else 0)):
        eater.at += 1


def step_rlimit(eater, step):
    cur = r"rlim_cur=(\S+?)," if step["value"] == "restore" else f"rlim_cur={step['value']},"
    eater.eat("prlimit64", lambda c: f"RLIMIT_{step['target'].upper()}, {{" in c.args and re.search(cur, c.args),
              f"RLIMIT_{step['target'].upper()} {step['value']}")


def step_ulimit(eater, step):
    soft, hard = (v if v != "unlimited" else "RLIM64_INFINITY" for v in step["value"].split(":"))
    eater.eat("prlimit64", lambda c: c.args.startswith(
        f"0, RLIMIT_{step['target'].upper()}, {{rlim_cur={soft}, rlim_max={hard}}}"),
              f"{step['target']} {step['value']}")


def step_reroot(eater, step):
    clone_tree(eater, "", {}, True)
    eater.eat("move_mount", lambda c: True, "the root over itself")


def step_pivot(eater, step):
    eater.eat("pivot_root", lambda c: True, "pivot_root")


def step_detach(eater, step):
    eater.eat("umount2", lambda c: "MNT_DETACH" in c.args, "the old root detached")


def step_console(eater, step):
    clone_tree(eater, "", {}, False)
    attach(eater, step["target"])


def step_exec(eater, step):
    # berth's own init makes the command's process first; the command is another one's.
    for name in ("vfork", "fork", "clone"):
        if eater.maybe(name, lambda c: "CLONE_NEW" not in c.args):
            break


LINK, ADDRESS, ROUTE, RULE, QDISC, CLASS, FILTER, QUEUE = 0x10, 0x14, 0x18, 0x20, 0x24, 0x28, 0x2c, 0x302


def step_relay(eater, step):
    for name in ("clone3", "clone"):
        if eater.maybe(name, lambda c: "CLONE_NEW" not in c.args):
            return
    raise Mismatch(f"wanted the relay's birth, found {eater.peek()}")


def step_shape(eater, step):
    """Upload has an interface of its own to be shaped on, ifb, or the relay keeps the rate."""
    if step.get("source") == "relay":
        return
    if step["target"] == "upload":
        eater.eat("sendto", lambda c: c.netlink() == {LINK}, "an ifb")
        eater.eat("sendto", lambda c: c.netlink() == {LINK, QDISC, FILTER}, "what leads to it")
    eater.eat("sendto", lambda c: c.netlink() == {QDISC}, "a queueing discipline")
    eater.eat("sendto", lambda c: c.netlink() == {QDISC}, "another within it")
    # Where the kernel has no fq_codel: what sorts, its queues, and by what it does.
    if eater.maybe("sendto", lambda c: c.netlink() == {QDISC}):
        eater.eat("sendto", lambda c: c.netlink() == {CLASS, QDISC}, "two queues")
        eater.eat("sendto", lambda c: c.netlink() == {FILTER}, "what goes first")


def step_uplink(eater, step):
    eater.eat("sendto", lambda c: c.netlink() == {ROUTE, RULE}, "routes and rules")
    eater.eat("sendto", lambda c: max(c.netlink()) >= 0xa00, "nf_tables")
    while eater.maybe("sendto", lambda c: max(c.netlink()) >= 0xa00):
        pass
    eater.eat("sendto", lambda c: c.netlink() == {QUEUE}, "the queues")


def step_publish(eater, step):
    for port in step["target"].split(","):
        out = re.match(r"(?:.*:)?(\d+):\d+/", port)[1]
        eater.eat("bind", lambda c, o=out: f"htons({o})" in c.args, f"port {out}")
    while eater.maybe("bind", lambda c: f"htons({out})" in c.args):
        pass  # of the other family


def step_capabilities(eater, step):
    for name in step["value"].split(","):
        eater.eat("prctl", lambda c, n=name: "CAP_" + n.upper() in c.args, name)


def step_address(eater, step):
    eater.eat("socket", lambda c: "NETLINK_ROUTE" in c.args, "a socket")
    eater.eat("sendto", lambda c: {ADDRESS, ROUTE} <= c.netlink(), "addresses and a route")


def step_lookout(eater, step):
    for protocol in ("NETLINK_ROUTE", "NETLINK_ROUTE", "NETLINK_SOCK_DIAG"):
        eater.eat("socket", lambda c, p=protocol: p in c.args, protocol)


STEPS = {
    "relay": step_relay, "shape": step_shape, "uplink": step_uplink,
    "gateway": lambda e, s: e.eat("unshare", lambda c: c.args == "CLONE_NEWNET",
                                  "a network namespace"),
    "veth": lambda e, s: e.eat("sendto", lambda c: {LINK, ADDRESS} <= c.netlink(),
                               "the veth and its addresses"),
    "capabilities": step_capabilities, "publish": step_publish, "address": step_address, "lookout": step_lookout,
    "spawn": step_spawn, "map": step_map, "cgroup-leaf": step_cgroup_leaf,
    "cgroup-enable": step_cgroup_enable, "root": step_root, "overlay": step_overlay,
    "mount": step_mount, "bind": step_bind, "device": step_device,
    "directory": step_directory, "file": step_file, "link": step_link, "copy": step_copy,
    "rlimit": step_rlimit, "ulimit": step_ulimit, "reroot": step_reroot, "pivot": step_pivot, "detach": step_detach,
    "console": step_console, "exec": step_exec,
    "cgroup-make": lambda e, s: e.eat("mkdirat", lambda c: c.texts()[0] == s["target"],
                                      f"the group {s['target']}"),
    "cgroup-limit": lambda e, s: write_to(e, "/" + s["target"], s["value"]),
    "cgroup-join": lambda e, s: e.eat(
        "write", lambda c: c.path().endswith("/" + s["target"] + "/cgroup.procs"),
        f"init moved to {s['target']}"),
    "ucount": lambda e, s: write_to(e, "/sys/user/" + s["target"], s["value"]),
    "private": lambda e, s: e.eat("mount", lambda c: "MS_REC|MS_PRIVATE" in c.args,
                                  "every mount private"),
    "hide": step_hide,
    "unshare": lambda e, s: e.eat("unshare", lambda c: flags_of(c, "CLONE_NEW") == {
        NAMESPACES[n] for n in s["flags"].split()}, s["flags"]),
    "hostname": lambda e, s: e.eat("sethostname", lambda c: c.texts()[0] == s["value"],
                                   s["value"]),
    "loopback": lambda e, s: e.eat("ioctl", lambda c: 'ifr_name="lo"' in c.args, "lo up"),
    "oom": lambda e, s: write_to(e, "/oom_score_adj", s["value"]),
    "notify": lambda e, s: e.eat("bind", lambda c: s["target"] in c.args, s["target"]),
    "airlock": lambda e, s: e.eat("memfd_create", lambda c: True, "a file in memory"),
    "seccomp": lambda e, s: e.eat("seccomp", lambda c: "SECCOMP_SET_MODE_FILTER" in c.args,
                                  "the filter"),
    "user": lambda e, s: None,
    "handover": lambda e, s: e.eat("sendmsg", lambda c: True, "the root to init"),
}


def is_trial(call):
    """A child that tries what the kernel has, in namespaces of its own: no step, it leaves nothing."""
    return call.name in ("clone3", "clone") and {"CLONE_NEWUSER", "CLONE_NEWNET"} == flags_of(call, "CLONE_NEW")


def actors(calls):
    """The supervisor is the first process; births with new namespaces make the others."""
    found = {"supervisor": calls[0].pid}
    for parent, child in (("supervisor", "warden"), ("warden", "init")):
        births = [c for c in calls if c.pid == found[parent] and
                  c.name in ("clone3", "clone") and "CLONE_NEWUSER" in c.args and not is_trial(c)]
        if len(births) != 1:
            raise Mismatch(f"{len(births)} births by the {parent}")
        known = set(found.values())
        found[child] = next(c.pid for c in calls
                            if c.number > births[0].number and c.pid not in known and
                            not c.name == "execve")
    return found


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        plan = json.load(file)
    with open(sys.argv[2], encoding="utf-8", errors="replace") as file:
        calls = read_trace(file)
    who = actors(calls)
    last = max(c.number for c in calls if c.pid == who["init"] and matters(c, "init"))
    failures, eaten = [], 0

    for actor, pid in who.items():
        mine = [c for c in calls if c.pid == pid and c.number <= last and matters(c, actor) and not is_trial(c)]
        if actor == "supervisor" and mine and mine[0].name == "execve":
            mine = mine[1:]
        if actor == "warden":  # its own confinement comes after its part of the plan
            mine = [c for c in mine if c.name != "seccomp"]
        eater = Eater(mine)
        for step in plan["steps"]:
            if step["actor"] != actor:
                continue
            before = eater.at
            try:
                STEPS[step["kind"]](eater, step)
            except Mismatch as mismatch:
                failures.append(f"step {step['step']} ({actor} {step['kind']} "
                                f"{step.get('target', '')}): {mismatch}")
                break
            eaten += eater.at - before
        else:
            if eater.peek() and eater.peek().name != "execve":
                failures.append(f"{actor}: no step answers for {eater.peek()}")
    for failure in failures:
        print(failure)
    if not failures:
        print(f"{len(plan['steps'])} steps, {eaten} calls, nothing left over")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
