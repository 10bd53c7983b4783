#!/usr/bin/env python3
"""Each rule of berth policy audit: a case where it is the only finding, and one where it is silent.

    audit_cases.py BERTH DIR

A case is a change to a pod, or to a policy, in which no rule finds anything; what is silent is
the nearest thing that is still right. Manifests are written as JSON, which is YAML; what YAML
alone can say has its cases in audit/. The rules of workspaces are in tests/unit/test_audit.c.
"""

import copy
import json
import pathlib
import subprocess
import sys

POD = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "good", "namespace": "team"},
    "spec": {
        "hostUsers": False,
        "automountServiceAccountToken": False,
        "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [{
            "name": "a",
            "image": "r.example/a:1@sha256:" + 64 * "0",
            "securityContext": {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            },
            "resources": {"limits": {"cpu": "1", "memory": "1Gi", "ephemeral-storage": "1Gi"}},
        }],
    },
}
POLICY = {
    "nested": False,
    "ids": {"uid_map": ["0:1000", "1:100000:65535"], "gid_map": ["0:1000", "1:100000:65535"]},
    "capabilities": {"drop": ["net_admin"]},
    "network": {"uplink": "relay", "rate_down": "10mbit", "rate_up": "10mbit",
                "egress_default": "deny"},
    "limits": {"pids": 100, "memory": "1g", "swap": "0", "cpus": 1, "watches": 500,
               "inotify_instances": 50, "max_descendants": 100, "io": ["/dev/sda:wbps=1m"]},
}


def changed(base, *changes):
    """A copy with each "a.b.0.c" set to its value; one that is None is taken away."""
    result = copy.deepcopy(base)
    for path, value in changes:
        at = result
        *way, last = path.split("/")
        for name in way:
            if isinstance(at, list):
                at = at[int(name)]
            else:
                at = at.setdefault(name, {})
        if value is None:
            del at[last]
        else:
            at[int(last) if isinstance(at, list) else last] = value
    return result


def spec(path, value):
    return ("spec/" + path, value)


def container(path, value):
    return ("spec/containers/0/" + path, value)


def security(path, value):
    return container("securityContext/" + path, value)


def host_path(path):
    return spec("volumes", [{"name": "v", "hostPath": {"path": path}}])


def volume(**kind):
    return spec("volumes", [{"name": "v", **kind}])


def env(name, **value):
    return container("env", [{"name": name, **value}])


USER_OF_NODE = spec("hostUsers", None)
TOKEN = {"serviceAccountToken": {"path": "t"}}
OTHER_TOKEN = {"serviceAccountToken": {"path": "t", "audience": "vault"}}

# rule: (changes that it finds, changes that it does not find)
PODS = {
    "BK001": ([spec("hostNetwork", True)], [spec("hostNetwork", False)]),
    "BK002": ([spec("hostPID", True)], [spec("hostPID", False)]),
    "BK003": ([spec("hostIPC", True)], [spec("hostIPC", False)]),
    "BK004": ([host_path("/var/run/docker.sock")],
              [volume(persistentVolumeClaim={"claimName": "docker.sock"})]),
    "BK005": ([host_path("/srv/../etc")], [volume(emptyDir={})]),
    "BK006": ([host_path("/srv/data")], [volume(emptyDir={})]),
    "BK007": ([USER_OF_NODE], [spec("hostUsers", False)]),
    "BK008": ([spec("automountServiceAccountToken", None)],
              [spec("automountServiceAccountToken", False)]),
    "BK009": ([volume(projected={"sources": [TOKEN]})],
              [volume(projected={"sources": [OTHER_TOKEN]})]),
    "BK010": ([volume(gitRepo={"repository": "https://git.example/a"})], [volume(emptyDir={})]),
    "BK011": ([volume(emptyDir={"medium": "Memory"})],
              [volume(emptyDir={"medium": "Memory", "sizeLimit": "1Gi"})]),
    "BK012": ([spec("securityContext/sysctls", [{"name": "kernel.msgmax", "value": "1"}])],
              [spec("securityContext/sysctls",
                    [{"name": "net.ipv4.tcp_syncookies", "value": "1"}])]),
    "BK013": ([spec("securityContext/seLinuxOptions", {"type": "spc_t"})],
              [spec("securityContext/seLinuxOptions", {"type": "container_t", "level": "s0"})]),
    "BK014": ([spec("securityContext/windowsOptions", {"hostProcess": True})],
              [spec("securityContext/windowsOptions", {"hostProcess": False})]),
    "BK015": ([spec("shareProcessNamespace", True)], [spec("shareProcessNamespace", False)]),
    "BK016": ([spec("priorityClassName", "system-node-critical")],
              [spec("priorityClassName", "system-node-critical"),
               ("metadata/namespace", "kube-system")]),
    "BK017": ([spec("tolerations", [{"operator": "Exists"}])],
              [spec("tolerations", [{"key": "gpu", "operator": "Exists"}])]),
    "BK018": ([spec("nodeName", "n1")], [spec("nodeSelector", {"disk": "ssd"})]),
    "BK019": ([spec("securityContext/supplementalGroups", [1, 0])],
              [spec("securityContext/supplementalGroups", [1])]),
    "BK020": ([("metadata/namespace", "default")], [("metadata/namespace", None)]),
    "BK021": ([spec("hostPID", "true")], [spec("hostPID", False)]),
    "BK022": ([spec("hostUser", True)], [spec("aFieldOfTomorrow", True)]),
    "BK030": ([security("privileged", True)], [security("privileged", False)]),
    "BK031": ([security("capabilities/add", ["CAP_SYS_ADMIN"])],
              [security("capabilities/add", ["SYS_CHROOT"])]),
    "BK032": ([security("capabilities/add", ["SYS_NICE"])],
              [security("capabilities/add", ["NET_BIND_SERVICE"])]),
    "BK033": ([security("capabilities/drop", ["NET_RAW"])],
              [security("capabilities/drop", ["ALL"])]),
    "BK034": ([security("capabilities/add", ["NET_RAW"])],
              [security("capabilities/drop", ["ALL", "NET_RAW"])]),
    "BK035": ([security("allowPrivilegeEscalation", None)],
              [security("allowPrivilegeEscalation", False)]),
    "BK036": ([security("runAsUser", 0)], [security("runAsUser", 1000)]),
    "BK037": ([security("procMount", "Unmasked")], [security("procMount", "Default")]),
    "BK038": ([security("seccompProfile", {"type": "Unconfined"})],
              [spec("securityContext/seccompProfile", {"type": "Unconfined"}),
               security("seccompProfile", {"type": "RuntimeDefault"})]),
    "BK039": ([spec("securityContext/seccompProfile", None)],
              [spec("securityContext/seccompProfile", None),
               security("seccompProfile", {"type": "Localhost", "localhostProfile": "a"})]),
    "BK040": ([("metadata/annotations", {"container.apparmor.security.beta.kubernetes.io/a":
                                         "unconfined"})],
              [("metadata/annotations", {"container.apparmor.security.beta.kubernetes.io/b":
                                         "unconfined"})]),
    "BK041": ([security("seLinuxOptions", {"user": "system_u"})],
              [security("seLinuxOptions", {"level": "s0:c1"})]),
    "BK042": ([security("windowsOptions", {"hostProcess": True})],
              [security("windowsOptions", {"runAsUserName": "x"})]),
    "BK043": ([security("readOnlyRootFilesystem", False)],
              [security("readOnlyRootFilesystem", True)]),
    "BK044": ([container("resources/limits/memory", None)],
              [container("resources/limits/memory", None),
               spec("resources", {"limits": {"memory": "1Gi"}})]),
    "BK045": ([container("resources/limits/cpu", "0")], [container("resources/limits/cpu", 1)]),
    "BK046": ([container("resources/limits/ephemeral-storage", None)],
              [container("resources/limits/ephemeral-storage", "1G")]),
    "BK047": ([container("image", "r.example:5000/a")],
              [container("image", "r.example:5000/a@sha256:" + 64 * "1")]),
    "BK048": ([container("image", "r.example/a:1")],
              [container("image", "r.example/a:1@sha256:" + 64 * "1")]),
    "BK049": ([env("DB_PASSWORD", value="x")], [env("DB_PASSWORD_FILE", value="/run/x")]),
    "BK050": ([container("envFrom", [{"secretRef": {"name": "s"}}])],
              [container("envFrom", [{"configMapRef": {"name": "s"}}])]),
    "BK051": ([container("args", ["--token=abc"])], [container("args", ["--token=$(T)"])]),
    "BK052": ([container("volumeMounts", [{"name": "v", "mountPath": "/v",
                                           "mountPropagation": "Bidirectional"}])],
              [container("volumeMounts", [{"name": "v", "mountPath": "/v",
                                           "mountPropagation": "HostToContainer"}])]),
    "BK053": ([container("volumeDevices", [{"name": "v", "devicePath": "/dev/x"}])],
              [container("volumeDevices", [])]),
    "BK054": ([container("ports", [{"containerPort": 80, "hostPort": 80}])],
              [container("ports", [{"containerPort": 80, "hostPort": 0}])]),
    "BK055": ([container("livenessProbe", {"httpGet": {"port": 1, "host": "10.0.0.1"}})],
              [container("livenessProbe", {"httpGet": {"port": 1}})]),
    "BK056": ([container("volumeMounts", [{"name": "v", "mountPath": "/v", "subPath": "a"}])],
              [container("volumeMounts", [{"name": "v", "mountPath": "/v"}])]),
    "BK057": ([security("runAsUser", "1000")], [security("runAsUser", 1000)]),
    "BK058": ([security("runAsNonroot", True)], [security("aFieldOfTomorrow", True)]),
}

POLICIES = {
    "BP001": ([("limits/pids", None)], [("limits/pids", 1)]),
    "BP002": ([("limits/memory", None)], [("limits/memory", "2g")]),
    "BP003": ([("limits/cpus", None)], [("limits/cpus", 2)]),
    "BP004": ([("limits/watches", None)], [("limits/watches", 1)]),
    "BP005": ([("limits/inotify_instances", None)], [("limits/inotify_instances", 1)]),
    "BP006": ([("limits/max_descendants", None)], [("limits/max_descendants", 1)]),
    "BP007": ([("network/rate_down", None)], [("network", {"uplink": "none"})]),
    "BP008": ([("network/rate_up", None)], [("network", {"uplink": "none"})]),
    "BP009": ([("network", {"uplink": "host"})], [("network/uplink", "relay")]),
    "BP010": ([("network/uplink", None)], [("network/uplink", "relay")]),
    "BP011": ([("volumes", ["/srv/a:/a"])],
              [("volumes", ["/srv/a:/a:ro", "/srv/s:/b:seed,ro", "/srv/c:/c:ro,rw"])]),
    "BP012": ([("volumes", ["/etc/ssl:/a:ro"])], [("volumes", ["/etcetera:/a:ro"])]),
    "BP013": ([("volumes", ["/var/run/docker.sock:/a:ro"])], [("volumes", ["/srv/sock:/a:ro"])]),
    "BP014": ([("volumes", ["/var/run/secrets/kubernetes.io:/a:ro"])],
              [("volumes", ["/srv/secrets:/a:ro"])]),
    "BP015": ([("environment", {"API_TOKEN": "x"})], [("environment", {"TOKENIZERS": "x"})]),
    "BP016": ([("limits/best_effort", ["cpus", "pids"])], [("limits/best_effort", ["cpus"])]),
    "BP017": ([("limits/swap", None)], [("limits/swap", "1g")]),
    "BP018": ([("rootfs", "host")], [("rootfs", "/srv/root:O")]),
    "BP019": ([("rootfs", "/srv/root")], [("rootfs", "/srv/root:O")]),
    "BP021": ([("network/egress_default", None)], [("network/egress_default", "deny")]),
    "BP022": ([("network/publish", ["auto"])],
              [("network/publish", ["auto"]), ("network/publish_allow", ["8000-8999"])]),
    "BP023": ([("pass_environment", ["CI_JOB_TOKEN"])], [("pass_environment", ["LC_*"])]),
    "BP024": ([("seccomp", {"allow": ["io_uring_setup"]})], [("seccomp", {"allow": ["syslog"]})]),
    "BP025": ([("seccomp", {"allow": ["read", "socket:AF_ALG"]})],
              [("seccomp", {"allow": ["read", "socket:AF_UNIX"], "deny": ["syslog"]})]),
    "BP026": ([("seccomp", {"profile": "workspace-i386"})],
              [("seccomp", {"profile": "workspace"})]),
    "BP027": ([("nested", True)], [("nested", True), ("seccomp", {"deny": ["socket:AF_NETLINK"]})]),
    "BP028": ([("audit", {"log": "/srv/log", "permissive": True})],
              [("audit", {"log": "/srv/log", "permissive": False, "syscalls": True})]),
    "BP029": ([("hooks", {"poststop": ["/tmp/hook"]})],
              [("hooks", {"poststop": ["/opt/tmp/hook /tmp/file"], "timeout": 5}),
               ("volumes", ["/opt:/opt:ro,rw"])]),
    "BP030": ([("hooks", {"prestart": ["/opt/hook a"]})], [("hooks", {"prestart": ["/dev/shm/hook"]})]),
    "BP031": ([("unmask", ["/proc/interrupts"])], [("unmask", [])]),
    "BP032": ([("limits/ulimits", {"rtprio": "0:10"})], [("limits/ulimits", {"rtprio": "0", "nofile": "10"})]),
    "BP033": ([("ids/gid_map", ["1:1000:5", "0:0:1"])], [("ids/gid_map", ["0:10:1"])]),
    "BP034": ([("ids", {})], [("ids", {"uid_map": ["0:1:1"]})]),
    "BP035": ([("gpus", "all")], [("devices", [])]),
    "BP020": ([("limits/io", None)], [("limits/io", ["/dev/sda:rbps=1m"])]),
}

# The same pod in each of its places: init and ephemeral containers, controllers, lists.
PRIVILEGED = changed(POD, security("privileged", True))
INIT = changed(POD, spec("initContainers", PRIVILEGED["spec"]["containers"]))
EPHEMERAL = changed(POD, spec("ephemeralContainers", [
    {k: v for k, v in PRIVILEGED["spec"]["containers"][0].items() if k != "resources"}]))
TEMPLATE = {"metadata": {}, "spec": PRIVILEGED["spec"]}


def controller(kind, api="apps/v1"):
    return {"apiVersion": api, "kind": kind, "metadata": {"name": "x"},
            "spec": {"template": TEMPLATE}}


ENDING = "securityContext.privileged"
PLACES = {
    "init": (INIT, "spec.initContainers[0]."),
    "ephemeral": (EPHEMERAL, "spec.ephemeralContainers[0]."),
    **{kind: (controller(kind), "spec.template.spec.containers[0].")
       for kind in ("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Job",
                    "ReplicationController", "Rollout")},
    "CronJob": ({"apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": "x"},
                 "spec": {"jobTemplate": {"spec": {"template": TEMPLATE}}}},
                "spec.jobTemplate.spec.template.spec.containers[0]."),
    "PodTemplate": ({"apiVersion": "v1", "kind": "PodTemplate", "metadata": {"name": "x"},
                     "template": TEMPLATE}, "template.spec.containers[0]."),
    "List": ({"apiVersion": "v1", "kind": "List", "items": [POD, PRIVILEGED]},
             "items[1].spec.containers[0]."),
    "List in a List": ({"apiVersion": "v1", "kind": "List", "items": [
        {"apiVersion": "v1", "kind": "List", "items": [PRIVILEGED]}]},
                       "items[0].items[0].spec.containers[0]."),
    "DeploymentList": ({"apiVersion": "apps/v1", "kind": "DeploymentList",
                        "items": [controller("Deployment")]},
                       "items[0].spec.template.spec.containers[0]."),
}
NONE = {
    "OtherJob": {"apiVersion": "batch.volcano.sh/v1", "kind": "Job", "spec": {"tasks": []}},
    "Service": {"apiVersion": "v1", "kind": "Service", "spec": {"ports": [{"port": 1}]}},
    "Certificate": {"apiVersion": "x/v1", "kind": "X", "spec": {"template": {"spec": {}}}},
}

# What berth could do: changes to a pod of tier A, and the best and worst tier then.
BERTH_POD = changed(
    POD, ("spec/securityContext", {
        "seccompProfile": {"type": "Localhost", "localhostProfile": "berth.json"},
        "appArmorProfile": {"type": "Localhost", "localhostProfile": "berth"}}),
    security("capabilities", None), security("procMount", "Unmasked"),
    security("cgroupOptions", {"mountMode": "Writable"}))
TIERS = {
    "as it is": ([], "AA"),
    "a cgroup by the node": ([security("cgroupOptions", None)], "AB"),
    "the node's users": ([USER_OF_NODE], "DD"),
    "a user": ([security("runAsUser", 1000)], "CC"),
    "root by number": ([security("runAsUser", 0)], "AA"),
    "any user": ([spec("securityContext/runAsNonRoot", True)], "CC"),
    "no capabilities": ([security("capabilities", {"drop": ["ALL"]})], "CC"),
    "those that berth needs": ([security("capabilities", {
        "drop": ["ALL"], "add": ["SETUID", "SETGID", "CAP_SETFCAP"]})], "AA"),
    "a masked proc": ([security("procMount", None)], "CC"),
    "the runtime's seccomp": ([security("seccompProfile", {"type": "RuntimeDefault"})], "DD"),
    "no seccomp": ([security("seccompProfile", {"type": "Unconfined"})], "AA"),
    "the node's seccomp": ([spec("securityContext/seccompProfile", None)], "AD"),
    "another seccomp": ([security("seccompProfile", {
        "type": "Localhost", "localhostProfile": "x.json"})], "AD"),
    "the runtime's AppArmor": ([security("appArmorProfile", {"type": "RuntimeDefault"})], "DD"),
    "no AppArmor": ([security("appArmorProfile", {"type": "Unconfined"})], "AA"),
    "the node's AppArmor": ([spec("securityContext/appArmorProfile", None)], "AD"),
    "another AppArmor": ([security("appArmorProfile", {
        "type": "Localhost", "localhostProfile": "x"})], "AD"),
    "privileged": ([security("privileged", True), security("procMount", None),
                    spec("securityContext", {})], "AA"),
}

failed = False


def wrong(text):
    global failed
    failed = True
    print(text)


def audit(berth, files):
    """By file: the rules that found something there, and where."""
    done = subprocess.run([berth, "policy", "audit", "--format", "json", *files.values()],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if done.stderr or done.returncode not in (0, 1):
        wrong(f"exit status {done.returncode}: {done.stderr}")
        return {name: None for name in files}
    report = json.loads(done.stdout)
    if report["audited"] < len(files) - len(NONE):
        wrong(f"{report['audited']} audited of {len(files)} files")
    found = {name: [] for name in files}
    names = {file: name for name, file in files.items()}
    for finding in report["findings"]:
        found[names[finding["file"]]].append((finding["rule"], finding["path"]))
    return found


def main():
    berth, directory = sys.argv[1], pathlib.Path(sys.argv[2])
    rules = json.loads(subprocess.run([berth, "policy", "audit", "--list", "--format", "json"],
                                      stdout=subprocess.PIPE, check=True).stdout)
    ids = [rule["rule"] for rule in rules]
    cases = {**PODS, **POLICIES}

    if len(ids) < 40 or len(set(ids)) != len(ids):
        wrong(f"{len(ids)} rules, {len(set(ids))} of them different")
    for rule in rules:
        for key in ("title", "why", "remedy", "reference"):
            if len(rule[key]) < 8:
                wrong(f"{rule['rule']} has no {key}")
        if rule["scope"] != "workspace" and rule["rule"] not in cases:
            wrong(f"{rule['rule']} has no case")
    for rule in set(cases) - set(ids):
        wrong(f"there is no rule {rule}")

    files = {}

    def write(name, content):
        path = directory / (name + ".json")
        path.write_text(json.dumps(content, indent=1))
        files[name] = str(path)

    write("pod", POD)
    write("policy", POLICY)
    for base, table in ((POD, PODS), (POLICY, POLICIES)):
        for rule, (finds, silent) in table.items():
            write(rule + "-only", changed(base, *finds))
            write(rule + "-silent", changed(base, *silent))
    for name, (content, _) in PLACES.items():
        write(name, content)
    for name, content in NONE.items():
        write(name, content)

    found = audit(berth, files)
    for name, findings in found.items():
        rule, _, kind = name.partition("-")
        if findings is None:
            continue
        if kind == "only":
            if [r for r, _ in findings] != [rule]:
                wrong(f"{name}: found {findings}")
        elif name in PLACES:
            if [f for f in findings if f[0] == "BK030"] != [("BK030", PLACES[name][1] + ENDING)]:
                wrong(f"{name}: found {findings}")
        elif kind == "silent":
            if rule in [r for r, _ in findings]:
                wrong(f"{name}: found {findings}")
        elif findings:
            wrong(f"{name}: found {findings}")

    for name, (changes, want) in TIERS.items():
        path = directory / "tier.json"
        path.write_text(json.dumps(changed(BERTH_POD, *changes)))
        report = json.loads(subprocess.run(
            [berth, "policy", "audit", "--format", "json", str(path)],
            stdout=subprocess.PIPE, check=False).stdout)
        tier, = report["tiers"]
        if tier["best"] + tier["worst"] != want:
            wrong(f"tier of '{name}': {tier}")
    return failed


sys.exit(main())
