"""What the templates have to hold, beside what tests/pod/templates.bats shows in pods.

    templates.py TOP VARIABLES METRICS OUT    VARIABLES: the names that berth entrypoint knows, one a line
                                              METRICS: "berth stats --format prometheus"
                                              OUT: the Deployment of the overlay, for an audit
"""

import json
import pathlib
import re
import subprocess
import sys

import yaml

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).parent))
import hcl  # noqa: E402 (beside this file)

TOP = pathlib.Path(sys.argv[1])
TEMPLATES = TOP / "templates"
failed = []


def expect(ok, what):
    if not ok:
        failed.append(what)


def blocks(tree, kind, *labels):
    return [b for k, l, b in tree if k == kind and (not labels or tuple(l) == labels)]


def same_security(spec, where):
    """Every pod that boots a system has what the reference pod has."""
    want = yaml.safe_load((TEMPLATES / "kubernetes/workspace.yaml").read_text())["spec"]
    for key in ("hostUsers", "automountServiceAccountToken", "enableServiceLinks", "securityContext"):
        expect(spec.get(key) == want[key], f"{where}: {key}: {spec.get(key)}, not {want[key]}")
    container, reference = spec["containers"][0], want["containers"][0]
    for key in ("command", "securityContext", "readinessProbe", "livenessProbe", "startupProbe"):
        expect(container.get(key) == reference[key], f"{where}: {key}: {container.get(key)}")
    expect({"cpu", "memory"} <= set(container["resources"]["limits"]), f"{where}: limits")
    mounted = {m["name"] for m in container["volumeMounts"]}
    expect(mounted == {v["name"] for v in spec["volumes"]}, f"{where}: volumes {mounted}")


def check_probes(container, where):
    """Who ends the container asks for life, which a pull of any length is; who sends it work asks for more."""
    for kind in ("startupProbe", "livenessProbe", "readinessProbe"):
        probe = container.get(kind, {})
        want = ["berth", "health"] + ["--ready"] * (kind == "readinessProbe")
        expect(probe.get("exec") == {"command": want}, f"{where}: {kind}: {probe.get('exec')}")
        # Its supervisor has 5 seconds to answer.
        expect(probe.get("timeoutSeconds", 1) > 5, f"{where}: {kind}: timeoutSeconds")
    # Until berth itself has begun, on a node that starts many pods.
    startup = container.get("startupProbe", {})
    patience = startup.get("periodSeconds", 10) * startup.get("failureThreshold", 3)
    expect(patience >= 30, f"{where}: startupProbe: {patience} s")


def environment(spec):
    return {e["name"]: e["value"] for e in spec["containers"][0].get("env", [])}


def check_coder(text):
    tree = hcl.parse(text)
    spec = blocks(tree, "resource", "kubernetes_manifest", "pod")[0]["manifest"]["spec"]
    same_security(spec, "coder")
    env = environment(spec)
    used = " ".join(env.values()) + str(spec) + str(blocks(tree, "resource"))
    for name in ("cpu", "memory", "home_disk", "docker_disk", "rate_down", "rate_up", "watches"):
        parameter = blocks(tree, "data", "coder_parameter", name)
        expect(len(parameter) == 1, f"coder: no parameter {name}")
        expect(parameter and blocks(parameter[0]["blocks"], "validation"), f"coder: {name} is not validated")
        expect(re.search(rf"data *\. *coder_parameter *\. *{name} *\. *value", used),
               f"coder: the parameter {name} is used nowhere")
    grace, stop = spec["terminationGracePeriodSeconds"], int(env["BERTH_STOP_TIMEOUT"])
    expect(grace > stop + 3, f"coder: {stop} s to stop in {grace}")
    expect(env["BERTH_BOOTSTRAP"].startswith("/etc/berth/agent/"), "coder: the agent's script")
    for line in env["BERTH_VOLUME"].split("\n"):
        expect(line.split(":")[0] in [m["mountPath"] for m in spec["containers"][0]["volumeMounts"]],
               f"coder: the volume {line} is not mounted in the pod")
    for kind in ("coder_agent", "kubernetes_secret_v1", "kubernetes_persistent_volume_claim_v1"):
        expect(any(k == "resource" and l[0] == kind for k, l, _ in tree), f"coder: no {kind}")
    claims = [l[1] for k, l, b in tree if k == "resource" and l[0].endswith("claim_v1") and "count" not in b]
    expect(claims == ["home", "state"], f"coder: volumes {claims} outlive a stopped workspace")


def patched(base, patch):
    """A patch of kustomize: fields of objects, items of lists by their place or name."""
    if isinstance(base, dict) and isinstance(patch, dict):
        return {**base, **{key: patched(base.get(key), value) for key, value in patch.items()}}
    if not isinstance(base, list) or not isinstance(patch, list):
        return patch
    key = "mountPath" if "mountPath" in patch[0] else "name"
    items = {item[key]: item for item in base}
    for item in patch:
        items[item[key]] = patched(items.get(item[key]), item)
    return list(items.values())


def manifests():
    """Path and content of each object, and what the overlay makes of the Deployment."""
    found = {}
    for path in sorted((TEMPLATES / "kubernetes").rglob("*.yaml")):
        for document in yaml.safe_load_all(path.read_text()):
            found.setdefault(str(path.relative_to(TEMPLATES / "kubernetes")), []).append(document)
    base, patch = found["deployment/deployment.yaml"][0], found.pop("launcher/image.yaml")[0]
    expect([patch[k] for k in ("kind", "metadata")] == [base[k] for k in ("kind", "metadata")], "launcher: of what")
    found["launcher"] = [patched(base, patch)]
    return [(path, document) for path, documents in found.items() for document in documents]


def check_manifests(found):
    for path, document in found:
        spec = document.get("spec", {})
        if document["kind"] == "Deployment":
            spec = spec["template"]["spec"]
            expect(document["spec"]["strategy"]["type"] == "Recreate", f"{path}: strategy")
            same_security(spec, path)
            labels = document["spec"]["template"]["metadata"]["labels"]
            expect(document["spec"]["selector"]["matchLabels"] == labels, f"{path}: selector")
            # kubectl rollout status would call a long pull a failure after ten minutes.
            expect(document["spec"].get("progressDeadlineSeconds", 600) >= 3600, f"{path}: progressDeadlineSeconds")
        for container in spec.get("containers", []):
            if container.get("command") == ["berth", "entrypoint"]:
                check_probes(container, path)
        for name in environment(spec) if "containers" in spec else {}:
            expect(name in VARIABLES or name == "REGISTRY_AUTH_FILE", f"{path}: no variable {name}")


def check_launcher(overlay):
    """Its store is on a volume, and its login where that is mounted."""
    spec = overlay["spec"]["template"]["spec"]
    env, places = environment(spec), {m["name"]: m["mountPath"] for m in spec["containers"][0]["volumeMounts"]}
    expect(spec["containers"][0]["image"] == "registry.example/berth:1", "launcher: image")
    expect(env.get("BERTH_IMAGE"), "launcher: no image for the workspace")
    expect(env.get("BERTH_STORE", "").startswith(f"{places['state']}/"), "launcher: store")
    expect(env.get("REGISTRY_AUTH_FILE") == f"{places['pull']}/.dockerconfigjson", "launcher: login")


def check_names():
    """Nothing in the templates is named BERTH_ that berth would refuse."""
    for path in sorted(TEMPLATES.rglob("*")):
        if path.is_file():
            for name in re.findall(r"\bBERTH_[A-Z_]+", path.read_text()):
                expect(name in VARIABLES or name == "BERTH_REPOSITORY", f"{path.name}: no variable {name}")


def shell(text, where):
    done = subprocess.run(["bash", "-n"], input=text, text=True, capture_output=True, check=False)
    expect(done.returncode == 0, f"{where}: {done.stderr}")


def check_dockerfile():
    text = (TEMPLATES / "docker/Dockerfile").read_text()
    text = re.sub(r"\\\n", " ", re.sub(r"^#.*\n", "", text, flags=re.M))
    stages, known = [], set()
    for line in filter(None, text.split("\n")):
        word, rest = line.split(" ", 1)
        expect(word in ("ARG", "FROM", "RUN", "COPY", "WORKDIR", "ENV", "ENTRYPOINT"), f"Dockerfile: {word}")
        if word == "FROM":
            stages.append(rest.split(" AS ")[1])
            known.add(stages[-1])
        if word == "RUN":
            shell(rest, "Dockerfile")
        if word == "COPY":
            stage = re.match(r"--from=(\w+) ", rest)
            source = rest.split()[0]
            expect(stage is None or stage[1] in known, f"Dockerfile: {rest}")
            expect(stage or (TOP / source).exists(), f"Dockerfile: no '{source}'")
    expect(stages == ["build", "os", "directory", "launcher", "workspace"], f"Dockerfile: stages {stages}")
    for variant in stages[2:]:
        part = text.split(f" AS {variant}\n")[1].split("\nFROM")[0]
        expect('ENTRYPOINT ["berth", "entrypoint"]' in part, f"Dockerfile: {variant} has no entrypoint")
        expect("ENV PATH=/opt/berth/bin:" in part, f"Dockerfile: {variant} has no links in its PATH")
    launcher = text.split(" AS launcher\n")[1].split("\nFROM")[0].split()
    for word in ("skopeo", "umoci", "uidmap", "golang-github-containers-common", "/usr/bin/envbox"):
        expect(word in launcher, f"Dockerfile: launcher has no {word}")


def check_workflow():
    workflow = yaml.safe_load((TEMPLATES / "github/workflow.yaml").read_text())
    expect(set(workflow["jobs"]) == {"hosted", "pod"}, "workflow: jobs")
    for name, job in workflow["jobs"].items():
        expect("runs-on" in job, f"workflow: {name} runs nowhere")
        for step in job["steps"]:
            expect(("uses" in step) != ("run" in step), f"workflow: {step}")
            shell(step.get("run", ""), f"workflow: {name}")


def labels_of():
    """Metric: its labels, from the table of docs/metrics.md."""
    rows = re.findall(r"^\| `(berth_\w+)` \| \w+ \| (.*?) \|", (TOP / "docs/metrics.md").read_text(), re.M)
    return {name: {"workspace", "instance"} | set(re.findall(r"`(\w+)`", text.split(":")[0] if ":" in text else text))
            for name, text in rows}


def check_expression(expr, legend, where):
    """Names, labels and functions of one PromQL expression."""
    known = labels_of()
    used = set(re.findall(r"\bberth_\w+", expr))
    expect(used, f"{where}: '{expr}' names no metric")
    for name in used:
        expect(name in METRICS, f"{where}: there is no metric '{name}'")
    for name, matchers in re.findall(r"\b(berth_\w+)\{([^}]*)\}", expr):
        for label in re.findall(r'(\w+)=', matchers):
            expect(label in known.get(name, ()), f"{where}: '{name}' has no label '{label}'")
    for name in re.findall(r"\b(?:rate|increase)\((berth_\w+)", expr):
        expect(METRICS.get(name) == "counter", f"{where}: the rate of '{name}', which is no counter")
    shown = set(re.findall(r"\{\{(\w+)\}\}", legend))
    for group in re.findall(r"\b(?:by|on|group_left) \(([^)]*)\)", expr):
        shown |= set(group.split(", "))
    for label in shown:
        expect(any(label in known.get(name, ()) for name in used), f"{where}: no label '{label}'")


def check_dashboard(text):
    dashboard = json.loads(text)
    places = []
    for panel in dashboard["panels"]:
        where = f"dashboard: {panel['title']}"
        at = panel["gridPos"]
        for x, y, w, h in places:
            expect(at["x"] + at["w"] <= x or x + w <= at["x"] or at["y"] + at["h"] <= y or y + h <= at["y"],
                   f"{where}: lies over another panel")
        places.append((at["x"], at["y"], at["w"], at["h"]))
        expect(at["x"] + at["w"] <= 24, f"{where}: too wide")
        expect(panel["type"] == "row" or panel["targets"], f"{where}: shows nothing")
        for target in panel.get("targets", []):
            expect(target["datasource"]["uid"] == "${datasource}", f"{where}: another source")
            check_expression(target["expr"], target.get("legendFormat", ""), where)
    ids = [panel["id"] for panel in dashboard["panels"]]
    expect(len(ids) == len(set(ids)), "dashboard: a panel's id twice")
    for variable in dashboard["templating"]["list"]:
        if variable["type"] == "query":
            check_expression(variable["query"]["query"], "", f"dashboard: ${variable['name']}")


VARIABLES = sys.argv[2].split()
METRICS = dict(re.findall(r"^# TYPE (\w+) (\w+)$", sys.argv[3], re.M))
coder = (TEMPLATES / "coder/main.tf").read_text()
check_coder(coder)
objects = manifests()
check_manifests(objects)
launcher = dict(objects)["launcher"]
check_launcher(launcher)
pathlib.Path(sys.argv[4]).write_text(json.dumps(launcher))
check_names()
check_dockerfile()
check_workflow()
dashboard = (TEMPLATES / "grafana/berth.json").read_text()
check_dashboard(dashboard)
expect("image" in json.loads((TEMPLATES / "devcontainer/devcontainer.json").read_text()), "devcontainer")
for path in sorted(TEMPLATES.rglob("*")):
    listed = str(path.relative_to(TOP)) in (TOP / "Makefile.am").read_text()
    expect(listed or path.is_dir(), f"Makefile.am does not install {path.relative_to(TOP)}")

# The checks can fail.
before = list(failed)
for old, new in (("hostUsers                     = false", "hostUsers = true"),
                 ("data.coder_parameter.rate_up.value", '"1gbit"'),
                 ('procMount = "Unmasked"', ""), ('"50"', '"58"')):
    failed.clear()
    expect(old in coder, f"no '{old}' to spoil")
    check_coder(coder.replace(old, new))
    if not failed:
        before.append(f"coder: '{new}' for '{old}' is not seen")
for old, new in (("berth_pids_limit_hits_total", "berth_pids_hits_total"), ("{{resource}}", "{{kind}}"),
                 ("rate(berth_network_bytes_total", "rate(berth_memory_bytes"), ('"x": 12', '"x": 11')):
    failed.clear()
    expect(old in dashboard, f"no '{old}' to spoil")
    check_dashboard(dashboard.replace(old, new))
    if not failed:
        before.append(f"dashboard: '{new}' for '{old}' is not seen")
for name, new in (("BERTH_STORE", "/var/lib/berth"), ("REGISTRY_AUTH_FILE", "/etc/login/.dockerconfigjson")):
    failed.clear()
    spoilt = json.loads(json.dumps(launcher))
    for variable in spoilt["spec"]["template"]["spec"]["containers"][0]["env"]:
        if variable["name"] == name:
            variable["value"] = new
    check_launcher(spoilt)
    if not failed:
        before.append(f"launcher: {name} '{new}' is not seen")
for text in ('a {', 'a = "${b"', "a = [1", "}"):
    try:
        hcl.parse(text)
        before.append(f"HCL: '{text}' is taken")
    except SyntaxError:
        pass
for line in before:
    print(line)
sys.exit(bool(before))
