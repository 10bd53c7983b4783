# shellcheck shell=bash
# tests/vm/bundle makes the pods of these tests: here it is compared with a containerd that runs,
# and what it does not know it has to refuse.
# bats file_tags=debian

load ../lib/common
load pod

setup_file()
{
	probe root tool:crun tool:jq debian
	pod_start containerd .
	export pod pod_dir
	# What containerd would hand to runc, and its default seccomp profile for it.
	pod_exec sh -c 'containerd >/tmp/containerd.log 2>&1 &
		for i in $(seq 100); do ctr version >/dev/null 2>&1 && break; sleep 0.1; done
		ctr container create --seccomp --rootfs / spec true &&
		ctr container info spec' | jq .Spec >"$BATS_FILE_TMPDIR/containerd.json"
	jq -e .linux.seccomp "$BATS_FILE_TMPDIR/containerd.json" >"$BATS_FILE_TMPDIR/default.json"
}
teardown_file() { pod_stop; }

setup()
{
	common_setup
	theirs=$BATS_FILE_TMPDIR/containerd.json
	ours=$BATS_TEST_TMPDIR/config.json
	command=$pod_top/templates/kubernetes/command.yaml
	workspace=$pod_top/templates/kubernetes/workspace.yaml
}

# bundle MANIFEST OPTION...
bundle()
{
	/usr/bin/python3 "$pod_top/tests/vm/bundle" "$1" "$BATS_TEST_TMPDIR" \
		--seccomp-root "$pod_top/templates/seccomp" "${@:2}"
}

# same FILTER: of both configurations
same() { assert_equal "$(jq -S "$1" "$ours")" "$(jq -S "$1" "$theirs")"; }

# made FILTER VALUE: of ours
made() { assert_equal "$(jq -c "$1" "$ours")" "$2"; }

@test "bundle: the default pod is containerd's default" {
	bundle "$command" --pod '{ "hostUsers": null }' --seccomp-default \
		--runtime-default "$BATS_FILE_TMPDIR/default.json"
	same '.process.capabilities | map_values(sort)'
	# The CRI leaves /run out, and adds what kubelet mounts and the cgroup.
	same '[.mounts[] | select(.type != "bind" and .type != "cgroup" and .destination != "/run")]'
	same '[.linux.namespaces[].type | select(. != "cgroup")] | sort'
	same '.linux.readonlyPaths | sort'
	same '.linux.seccomp | .syscalls | map(select(.args == null)) | map(.names | sort)'
	same '.linux.seccomp | { defaultAction, architectures, n: (.syscalls | length) }'
	same '.linux.resources.devices[0]'
	# kubelet's list is longer than that of an older containerd, never shorter.
	run jq -c --slurpfile ours "$ours" '.linux.maskedPaths - $ours[0].linux.maskedPaths' "$theirs"
	assert_output '[]'
}

@test "bundle: each field of the manifest reaches the configuration" {
	bundle "$workspace" --apparmor-default cri-containerd.apparmor.d --cgroup-writable --pids 100 \
		--env BERTH_INIT=none --env BERTH_USER=dev
	made '.linux.maskedPaths + .linux.readonlyPaths' '[]'
	made '[.linux.namespaces[].type] | contains(["user", "cgroup"])' true
	made '.linux.uidMappings' '[{"containerID":0,"hostID":1000000,"size":65536}]'
	made '[.process.env[] | select(startswith("BERTH_INIT") or startswith("BERTH_USER"))] | sort' \
		'["BERTH_INIT=systemd","BERTH_USER=dev"]'
	made '.process.noNewPrivileges' false
	made '.process.apparmorProfile' '"berth"'
	made '.process.oomScoreAdj' -997
	made '.linux.resources.memory.limit' 4294967296
	made '.linux.resources.cpu | [.shares, .quota, .period]' '[2048,200000,100000]'
	made '.linux.resources.pids.limit' 100
	made '.mounts[] | select(.type == "cgroup").options[-1]' '"rw"'
	made '[.mounts[] | select(.destination == "/var/lib/workspace").options[]]' \
		'["rbind","rprivate","rw"]'
	made '.linux.seccomp.defaultErrnoRet' 38
	made '[.mounts[].destination | select(contains("secrets"))]' '[]'

	bundle "$workspace" --apparmor-default cri-containerd.apparmor.d \
		--pod '{ "securityContext": null, "automountServiceAccountToken": true,
			"hostUsers": null }' \
		--container '{ "resources": null, "securityContext": { "procMount": null,
			"allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true,
			"runAsUser": 1000, "capabilities": { "drop": ["ALL"], "add": ["KILL"] } } }'
	made '.linux.seccomp' null
	made '.process.apparmorProfile' '"cri-containerd.apparmor.d"'
	made '.process | [.noNewPrivileges, .user.uid, .oomScoreAdj]' '[true,1000,1000]'
	made '.process.capabilities.bounding' '["CAP_KILL"]'
	made '.root.readonly' true
	made '.linux.uidMappings' null
	made '[.mounts[].destination | select(contains("secrets"))] | length' 1
}

@test "bundle: a profile with conditions is evaluated for capabilities and architecture" {
	cat >moby.json <<-'EOF'
		{ "defaultAction": "SCMP_ACT_ERRNO", "syscalls": [
			{ "names": ["mount"], "action": "SCMP_ACT_ALLOW", "includes": { "caps": ["CAP_SYS_ADMIN"] } },
			{ "names": ["kill"], "action": "SCMP_ACT_ALLOW", "includes": { "caps": ["CAP_KILL"] } },
			{ "names": ["clone3"], "action": "SCMP_ACT_ERRNO", "errnoRet": 38,
			  "excludes": { "caps": ["CAP_SYS_ADMIN"] } },
			{ "names": ["s390_runtime_instr"], "action": "SCMP_ACT_ALLOW", "includes": { "arches": ["s390"] } },
			{ "names": ["newest"], "action": "SCMP_ACT_ALLOW", "includes": { "minKernel": "99.0" } } ] }
	EOF
	bundle "$command" --seccomp-default --runtime-default moby.json
	made '[.linux.seccomp.syscalls[].names[0]]' '["kill","clone3"]'
}

@test "bundle: what it does not know, and what kubelet would not admit, it refuses" {
	local wrong

	run bundle "$command" --pod '{ "hostNetwrok": true }'
	assert_status 1
	assert_has "unknown field 'hostNetwrok'"
	for wrong in '{ "securityContext": { "procMount": "Unmasked" } }' \
		'{ "securityContext": { "runAsNonRoot": true } }' \
		'{ "securityContext": { "privileged": true } }' \
		'{ "resources": { "limits": { "memory": "4x" } } }'; do
		run bundle "$command" --pod '{ "hostUsers": null }' --container "$wrong"
		assert_status 1
		assert_has "bundle: "
	done
	run bundle "$workspace"
	assert_status 1
	assert_has "no AppArmor"
}

@test "our seccomp profile allows all that containerd's default does, but for old and barred calls" {
	run jq -c --slurpfile ours "$pod_top/templates/seccomp/berth.json" '
		def allowed: [.syscalls[] | select(.action == "SCMP_ACT_ALLOW") | .names[]] | unique;
		allowed - ($ours[0] | allowed) - ["epoll_ctl_old", "epoll_wait_old",
			"io_uring_enter", "io_uring_register", "io_uring_setup"]' "$BATS_FILE_TMPDIR/default.json"
	assert_output '[]'
}
