# shellcheck shell=bash
# "berth plan" and "berth run" are one list: each call of a real launch that changes something
# belongs to one line of the plan, and each line to a call. See plan_proof.py.

load ../lib/common

setup()
{
	common_setup
	probe tool:strace tool:python3 small
	name=$(new_name)
}

traced=clone,clone3,fork,vfork,unshare,setns,mount,umount2,pivot_root,move_mount,open_tree
traced+=,fsopen,fsconfig,fsmount,fspick,mount_setattr,sethostname,setdomainname,prlimit64
traced+=,setrlimit,openat,openat2,write,mkdirat,mkdir,mknodat,symlinkat,memfd_create,execve,seccomp,bind,ioctl,sendmsg,sendto,socket,prctl

# What the sanitizers do by themselves is in no plan.
quiet=detect_leaks=0:disable_coredump=0

# In a user namespace of its own berth is root, as in a pod: newuidmap(1) does not work under
# strace, and what it does is not ours to prove.
as_pod_root() { in_cgroup unshare --map-auto --map-root-user -m "$@"; }

# trace_launch INJECT OPTION...: plan.json and trace of one launch; no network but by OPTION.
trace_launch()
{
	local inject=$1

	shift
	ASAN_OPTIONS=$quiet as_pod_root strace -f ${inject:+"--inject=$inject"} \
		-o plan.trace -e "trace=${traced}" \
		"$BERTH" plan --format json --net none "$@" >plan.json
	ASAN_OPTIONS=$quiet as_pod_root strace -f -y -s 300 \
		${inject:+"--inject=$inject"} -o trace -e "trace=${traced}" "$BERTH" run --net none "$@" </dev/null
}

prove() { python3 "$BATS_TEST_DIRNAME/plan_proof.py" plan.json trace; }

@test "a directory as root, with limits and a volume" {
	mkdir volume
	trace_launch "" --name "$name" --rm -i --pids 500 --watches 1000 --inotify-instances 50 \
		--ulimit nofile=101:203 --ulimit core=0 \
		-v "$PWD/volume:/mnt:ro" --rootfs "$BERTH_TEST_SMALL" -- /bin/true
	prove
}

@test "an overlay over a directory, in memory and with --state" {
	trace_launch "" --name "$name" --rm --rootfs "$BERTH_TEST_SMALL:O" -- /bin/true
	prove
	mkdir state
	trace_launch "" --name "$name" --rm --state "$PWD/state" --rootfs "$BERTH_TEST_SMALL:O" \
		-- /bin/true
	prove
	unshare --map-auto --map-root-user rm -rf state
}

@test "the host's own root" {
	trace_launch "" --name "$name" --rm -- /bin/true
	prove
}

@test "a terminal, a user, the pod's network, no init" {
	trace_launch "" --name "$name" --rm -t --init none --net host -u 33 --ulimit nofile=101 \
		--rootfs "$BERTH_TEST_SMALL" -- /bin/true
	prove
}

@test "a network of its own, with rates" {
	trace_launch "" --name "$name" --rm --net relay --rate-down 10mbit --rate-up 20mbit -p 18080:80 \
		--rootfs "$BERTH_TEST_SMALL" -- /bin/true
	prove
}

@test "clone3 hidden: the group is joined after birth, and the plan says so" {
	trace_launch clone3:error=ENOSYS --name "$name" --rm -i --rootfs "$BERTH_TEST_SMALL" \
		-- /bin/true
	prove
	if [ -n "$BERTH_TEST_CGROUP" ]; then
		grep -q '"kind": "cgroup-join"' plan.json
	fi
}

@test "the proof fails without any one of the plan's lines, and with a foreign call" {
	trace_launch "" --name "$name" --rm --pids 100 --cap-drop net_raw,sys_time --net relay --rate-up 9mbit --pending-signals 99 --ulimit nofile=101:203 \
		--rootfs "$BERTH_TEST_SMALL" -- /bin/true
	prove
	cat >mutate.py <<-'END'
	import json, subprocess, sys
	proof = sys.argv[1]
	plan = json.load(open("plan.json"))
	def accepted(steps, trace):
	    json.dump({**plan, "steps": steps}, open("mutant.json", "w"))
	    return subprocess.run(["python3", proof, "mutant.json", trace],
	                          capture_output=True).returncode == 0
	steps = plan["steps"]
	assert accepted(steps, "trace"), "the plan itself"
	missed = [s for i, s in enumerate(steps)
	          if s["kind"] not in ("directory", "user", "exec")
	          and accepted(steps[:i] + steps[i + 1:], "trace")]
	assert not missed, missed
	lines = open("trace").readlines()
	at = next(i for i, line in enumerate(lines) if "sethostname(" in line)
	pid = lines[at].split()[0]
	lines.insert(at, f'{pid} umount2("/tmp", MNT_DETACH) = 0\n')
	open("foreign", "w").writelines(lines)
	assert not accepted(steps, "foreign"), "a foreign call"
	END
	python3 mutate.py "$BATS_TEST_DIRNAME/plan_proof.py"
}

@test "plan touches nothing" {
	trace_launch "" --name "$name" --rm --rootfs "$BERTH_TEST_SMALL" -- /bin/true
	# No birth, mount, or write: only what reads.
	run grep -vE 'execve|O_RDONLY|prlimit64\(0, RLIMIT_[A-Z]+, NULL|clone3\(NULL, 0\)|write\([12]|openat2\(|ioctl\(1|^[0-9]+ +\+\+\+|ENOENT|--- SIG|PR_CAPBSET_READ' plan.trace
	assert_output ""
}
