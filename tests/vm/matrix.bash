# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154 # shared with matrix.bats and pod.bash
# The rows of matrix.bats: a pod, the tier that berth check has to say, what it has to lack.

# Unlike tests/pod, nothing is changed of the manifest but what a row changes.
matrix_setup()
{
	common_setup
	probe root tool:crun tool:jq debian
	pod_options=()
	report=
	row_count=0
	declare -gA told=()
}

# Changes of a manifest: of its pod, of its container, or left to the node.
host_users='{ "hostUsers": null }'
unmasked='{ "securityContext": { "procMount": "Unmasked" } }'
no_profiles='{ "securityContext": null }'
no_apparmor='{ "securityContext": { "appArmorProfile": null } }'

# What CRI-O gives its containers where the manifest says nothing.
crio_capabilities=CHOWN,DAC_OVERRIDE,FSETID,FOWNER,SETGID,SETUID,SETPCAP,NET_BIND_SERVICE,KILL

# in_its_namespace COMMAND: what a node's setting does to a pod that is there already, which keeps
# its own user namespace.
in_its_namespace() { nsenter -t "$(pod_oci state "$pod" | jq .pid)" -U -m sh -c "$1"; }

# For pods without a user namespace: an image that root owns.
on_the_node() { pod_image=${BERTH_TEST_TREE:-$BERTH_TEST_ROOTFS}; }

# row TIER OPTION...: makes the pod, and asked TIER.
row()
{
	pod_stop
	pod_start "row$((++row_count))" . "${@:2}"
	asked "$1"
}

# asked TIER: asks berth check in the pod that stands, whose report is in $report then.
asked()
{
	local tier=$1 require=()

	[ "$tier" = D ] || require=(--require "$tier")
	report=$(pod_exec berth check --format json "${require[@]}") ||
		fail "expected tier $tier:" $'\n'"$(report_text)"
	tier_is "$tier"
}

tier_is()
{
	[ "$(jq -r .tier <<<"$report")" = "$1" ] || fail "expected tier $1:" $'\n'"$(report_text)"
}

report_text()
{
	jq -r '.tier, (.checks[] | select(.result == "no" or .result == "untried")
		| "\(.name): \(.result) \(.needed_for // "-"): \(.detail) > \(.remedy)")' <<<"$report" ||
		echo "$report"
}

field() { jq -r --arg name "$1" ".checks[] | select(.name == \$name) | .$2" <<<"$report"; }

# lacks NAME...: these rows, of those that a tier needs, say no; the others yes or untried.
lacks()
{
	assert_equal "$(jq -r '.checks[] | select(.needed_for and .result == "no") | .name' <<<"$report" |
		sort | paste -sd' ')" "$(printf '%s\n' "$@" | sort | paste -sd' ')"
}

# remedy NAME TEXT: what that row says to change.
remedy()
{
	assert_equal "$(field "$1" result)" no
	told[$1]=$(field "$1" remedy)
	[[ ${told[$1]} == *"$2"* ]] || fail "the remedy of $1: ${told[$1]}"
}

# mended NAME...: after the remedy these rows say yes. What each was told before is proven by that.
mended()
{
	local name

	for name; do
		[ "$(field "$name" result)" = yes ] || fail "$name:" $'\n'"$(report_text)"
		[ -z "${told[$name]:-}" ] || helped "$name"
	done
}

# helped NAME: what that row said to change is proven, for tests/golden/remedies.sh. By itself for
# a row that tells what cannot be changed, where what it stands in the way of works now.
helped() { printf '%s\n' "${told[$1]}" >>"${BERTH_TEST_REMEDIES:-/dev/null}"; }

# What berth run does there.

command_runs()
{
	run pod_exec berth run --rm -- id -u
	assert_status 0
	assert_equal "${lines[-1]}" 0
}

# nothing_runs STEP HINT: neither a command nor a system, for this reason.
nothing_runs()
{
	run pod_exec berth run --rm -- true
	assert_status 125
	assert_has "berth: $1: "
	assert_has "hint: "
	assert_has "$2"
}

# no_system HINT
no_system()
{
	run pod_exec berth run --rm --rootfs /srv/ws --init systemd
	assert_status 125
	assert_has "hint: "
	assert_has "$1"
}

# podman loads its AppArmor profile, which is that of moby and containerd, when it starts a
# container. Prints its name.
podman_profile()
{
	podman run --rm --network none --rootfs "$BERTH_TEST_SMALL:O" true
	sed -n 's/^\(containers-default-[^ ]*\) (enforce)$/\1/p' /sys/kernel/security/apparmor/profiles
}

# The default seccomp profile of the containerd in the image, as it hands it to the runtime.
containerd_profile()
{
	local pod pod_dir

	pod_start containerd . --pod "$no_profiles"
	pod_exec sh -c 'containerd >/tmp/containerd.log 2>&1 &
		for i in $(seq 300); do ctr version >/dev/null 2>&1 && break; sleep 0.2; done
		ctr container create --seccomp --rootfs / spec true &&
		ctr container info spec' | jq -e .Spec.linux.seccomp
	pod_stop >&2
}
