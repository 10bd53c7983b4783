# shellcheck shell=bash
# Root inside against the numbers that were set a level above, and against what reaches the node.

load ../lib/common

setup()
{
	common_setup
	probe small subids
}

inside()
{
	run --separate-stderr berth run --rm --name "$(new_name)" --rootfs "$BERTH_TEST_SMALL:O" "$@"
}

# beside OPTION... -- COMMAND...: a workspace of Debian that stays; what it printed first is in $said.
beside()
{
	: >beside
	berth run --rm --name "$(new_name)" --rootfs "$BERTH_TEST_ROOTFS:O" "$@" >beside 2>errors 3>&- &
	wait_until 200 grep -q "^now " beside # emulated machines are slow
	said=$(cat beside)
}

# debian OPTION... -- COMMAND...: one of Debian that ends.
debian() { run --separate-stderr berth run --rm --name "$(new_name)" --rootfs "$BERTH_TEST_ROOTFS:O" "$@"; }

# The neighbours of one that has used up all of his: with the same number, and with none.
@test "the watcher budget cannot be raised from inside, and a neighbour keeps his" {
	probe debian
	local made='mkdir -p $(seq -f /tmp/w/%.0f "$0")' said

	beside --watches 200 -- sh -c '
		echo 100000 >/proc/sys/user/max_inotify_watches
		cat /proc/sys/user/max_inotify_watches; '"$made"'
		mkfifo /tmp/up; inotifywait -m -r /tmp/w 2>/tmp/up & grep -q established /tmp/up
		inotifywait -q -t 1 /etc 2>&1
		echo "now $?"; sleep 1000' 199
	[[ $said == 100000$'\n'*"upper limit on inotify watches reached"*$'\n'"now 1" ]] ||
		fail "$said" # the first is root's own copy
	for options in "--watches 200:199:2" ":600:2" "--watches 200:200:1"; do
		IFS=: read -r option n want <<<"$options"
		# shellcheck disable=SC2086 # words
		debian $option -- sh -c "$made"'; inotifywait -q -r -t 1 /tmp/w; echo "exit $?"' "$n"
		assert_output "exit $want" # 2: its time was over
	done
}

@test "the budget of inotify instances cannot be raised from inside, and a neighbour keeps his" {
	probe debian
	# Each takes an instance, or says that there is none.
	local instances='for i in $(seq 30); do inotifywait -m -q /tmp >/dev/null 2>>/tmp/said & done
		for i in $(seq 100); do
			n=$(($(grep -c . /tmp/said) + $(ls -l /proc/[0-9]*/fd | grep -c anon_inode:inotify)))
			[ $n -lt 30 ] || break; sleep 0.1
		done
		ls -l /proc/[0-9]*/fd | grep -c anon_inode:inotify'

	beside --inotify-instances 10 -- sh -c '
		echo 1000 >/proc/sys/user/max_inotify_instances
		cat /proc/sys/user/max_inotify_instances; echo "now $(eval "$0")"; sleep 1000' "$instances"
	assert_equal "$said" $'1000\nnow 10'
	debian --inotify-instances 10 -- sh -c "$instances"
	assert_output 10
	debian -- sh -c "$instances"
	assert_output 30
}

# More namespaces of a kind than --KIND-namespaces says, at a time, as root inside.
@test "no more namespaces can be nested than each option says, and root inside cannot raise that" {
	probe debian
	for kind in user:-Urf pid:-pf mount:-mf net:-nf ipc:-if uts:-uf cgroup:-Cf time:-Tf; do
		for net in none auto; do
			run --separate-stderr berth run --rm --name "$(new_name)" --net "$net" \
				--rootfs "$BERTH_TEST_ROOTFS:O" "--${kind%:*}-namespaces" 2 -- sh -c '
				for f in /proc/sys/user/max_*_namespaces; do echo 1000 >$f; done
				two="unshare $0 unshare $0"
				$two true && echo two
				$two unshare $0 true || echo not three' "${kind#*:}"
			assert_output $'two\nnot three'
			# shellcheck disable=SC2154 # run sets it
			assert_equal "$stderr" "unshare: unshare failed: No space left on device"
		done
	done
	run -0 berth run --rm --name "$(new_name)" --rootfs "$BERTH_TEST_ROOTFS:O" --user-namespaces 0 -- \
		sh -c 'unshare -U true 2>/dev/null || unshare -m echo own kinds only'
	assert_output "own kinds only"
}

# perl, since only that is in each Debian: as many as the kernel gives, then what it says.
takes='
	$SIG{RTMIN} = sub {}; $| = 1;
	use POSIX; POSIX::sigprocmask(SIG_BLOCK, POSIX::SigSet->new(40));
	my %take = (
		fanotify => sub { syscall(300, 0x200, 0) },
		marks    => sub {
			$group = syscall(300, 0x200, 0) unless defined $group;
			my $file = "/dev/shm/m" . $i;
			open my $made, ">", $file;
			syscall(301, $group, 1, 2, -100, $file) },
		signals  => sub { my $info = pack "iiix116", 40, 0, -1; syscall(129, 0 + $$, 40, $info) },
		queues   => sub { my $n = "q" . $i; syscall(240, $n, 0x42, 0600, 0) } );
	for ($i = 0; $i < 500 && $take{$ARGV[0]}->() >= 0; $i++) {}
	print "now $i ", $! + 0, "\n";
	sleep $ARGV[1];'

@test "the budgets of fanotify, queued signals and message queues hold, and a neighbour keeps his" {
	probe debian
	for budget in "fanotify --fanotify-groups 20 20 24" "marks --fanotify-marks 20 20 28" \
		"signals --pending-signals 50 50 11" "queues --message-queues 200k 2 24"; do
		read -r what option value want errno <<<"$budget"
		# shellcheck disable=SC2016 # the shell inside
		beside "$option" "$value" -- bash -c 'ulimit -i "$(ulimit -H -i)" -q "$(ulimit -H -q)"
			for f in groups marks; do echo 1000 >/proc/sys/user/max_fanotify_$f; done
			exec perl -e "$0" "$@"' "$takes" "$what" 1000
		assert_equal "$said" "now $want $errno"
		debian "$option" "$value" -- perl -e "$takes" "$what" 0
		assert_output "now $want $errno"
		debian -- perl -e "$takes" "$what" 0
		output=${output#now }
		[ "${output% *}" -gt "$want" ] || fail "without $option: $output"
	done
}

# By perl: shmget, then SHM_LOCK of each segment of 400 KiB; how many could be locked, and the last error.
lock='$| = 1; for ($i = 0; $i < 10; $i++) {
	my $id = syscall(29, 0, 400 * 1024, 01600); last if $id < 0;
	last if syscall(31, $id, 11, 0) < 0 }
	print "$i ", $! + 0, "\n";'

@test "the budget of locked System V memory holds for all users and nested namespaces together" {
	probe tool:perl tool:setpriv
	inside_all() { run -0 --separate-stderr berth run --rm --name "$(new_name)" --net none "$@" -- bash -c '
		ulimit -l "$(ulimit -H -l)"; perl -e "$0"; setpriv --reuid 7 --clear-groups perl -e "$0"
		setpriv --reuid 8 --clear-groups unshare -Ur perl -e "$0"; unshare -Uri perl -e "$0"
		perl -e "\$m = q(x) x 300000; print syscall(149, \$m, 300000), qq(\n)"' "$lock"; }

	# Two of them fit, whoever comes; mlock(2) is no part of it.
	inside_all --locked-shm 1m
	assert_output $'2 12\n0 12\n0 12\n0 12\n0'
	# A neighbour has what its own limit leaves to each user.
	inside_all
	[[ $output == $'10 0\n10 0\n10 0\n10 0\n0' ]] || fail "without: $output"
}

# As many processes as there may be, up to 100 more; then how many there are.
forks='
	for ($n = 0; $n < 100; $n++) {
		my $pid = fork;
		last unless defined $pid;
		$pid or do { sleep 1000; exit };
	}
	opendir my $proc, "/proc";
	print "now ", scalar(grep /^[0-9]/, readdir $proc), "\n";'

@test "the budget of processes holds for root and for other users inside" {
	probe debian
	for by in "" "setpriv --reuid 7 --clear-groups" "unshare -Ur"; do
		for most in 60 400; do
			# shellcheck disable=SC2016 # the shell inside
			debian --pids "$most" -- sh -c 'ulimit -u unlimited 2>/dev/null; exec $1 perl -e "$0"' \
				"$forks" "$by"
			assert_status 0
			output=${output#now }
			if [ "$most" = 60 ]; then
				[[ $output -ge 40 && $output -le 60 ]] || fail "'$by', --pids 60: $output processes"
			else
				[ "$output" -gt 100 ] || fail "'$by', --pids 400: $output processes"
			fi
		done
	done
}

@test "sysctls and files of the node are not written" {
	inside -- sh -c 'for f in /proc/sys/kernel/core_pattern \
			/proc/sys/vm/drop_caches /proc/sys/kernel/sysrq /proc/sysrq-trigger \
			/proc/sys/kernel/modprobe /sys/kernel/uevent_helper /dev/.berth/sys/kernel/mm/ksm/run; do
			{ echo 0 >$f; } 2>/dev/null && echo "wrote $f"; done; true'
	assert_output ""
	inside -- sh -c 'echo 1 >/proc/sys/net/ipv4/ip_forward && cat /proc/sys/net/ipv4/ip_forward'
	assert_output 1 # positive control: what its own namespaces own
}

@test "the cgroup tree ends at the payload, also in a mount of one's own" {
	probe cgroup
	inside -i -- sh -c 'cat /proc/self/cgroup | grep ^0::
		mkdir /c && mount -t cgroup2 cgroup2 /c && cat /c/cgroup.type; ls -d /c/berth* /c/payload 2>/dev/null
		[ "$(stat -c %i /c)" = "$(stat -c %i /sys/fs/cgroup)" ] && echo the same'
	assert_output "0::/
domain
the same"
}

@test "nested sandboxes work" {
	probe debian
	run berth run --rm --name "$(new_name)" --rootfs "$BERTH_TEST_ROOTFS:O" -- sh -c '
		unshare -Urmpf --mount-proc sh -c "ps -e | wc -l"
		bwrap --unshare-all --ro-bind / / --proc /proc --dev /dev echo bubblewrap
		useradd -m dev && echo dev:10000:50000 >/etc/subuid && echo dev:10000:50000 >/etc/subgid
		su dev -c "unshare --map-auto --map-root-user sh -c \"id -u; wc -l </proc/self/uid_map\""'
	assert_status 0
	assert_has bubblewrap
	assert_has 0
}

# Each way as root inside to more open files than 200, and what it got: nothing, or 4096.
@test "no limit of --ulimit can be raised from inside, by whatever way" {
	probe debian
	local ways='
		try() { "$@" >/dev/null 2>&1; }
		try prlimit --nofile=4096:4096 --pid $$; echo "itself $(ulimit -Hn)"
		try prlimit --nofile=4096:4096 --pid 1
		echo "init $(prlimit --pid 1 --nofile -o HARD --noheadings --raw)"
		echo "user namespace $(unshare -Urm sh -c "ulimit -Hn 4096 2>/dev/null; ulimit -Hn")"
		echo "another user $(setpriv --reuid 7 --clear-groups sh -c "ulimit -Hn 4096 2>/dev/null; ulimit -Hn")"
		echo "orphan $(setsid -f sh -c "ulimit -Hn 4096 2>/dev/null; ulimit -Hn" | cat)"'

	inside2() { run --separate-stderr berth run --rm --name "$(new_name)" --rootfs "$BERTH_TEST_ROOTFS:O" "$@"; }
	inside2 --ulimit nofile=100:200 -- sh -c "$ways"
	assert_output "itself 200
init 200
user namespace 200
another user 200
orphan 200"
	# Where it is not said each of them works.
	inside2 --ulimit nofile=100:4096 -- sh -c "$ways"
	assert_output "itself 4096
init 4096
user namespace 4096
another user 4096
orphan 4096"
}

@test "a process that exec brings in has no more than the workspace, for root inside to take" {
	local name

	name=$(new_name)
	berth run -d --name "$name" --rootfs "$BERTH_TEST_SMALL:O" --ulimit nofile=100:200 -- sleep 60
	run --separate-stderr berth exec "$name" -- sh -c 'ulimit -n 201; ulimit -Hn 201; ulimit -Hn'
	assert_output 200
	run --separate-stderr berth exec -u 7 "$name" -- sh -c 'ulimit -Hn 201; ulimit -Hn'
	assert_output 200
	berth rm -f "$name"
	# Whoever calls has more to give, and does where nothing was said.
	berth run -d --name "$name" --rootfs "$BERTH_TEST_SMALL:O" -- sleep 60
	run --separate-stderr berth exec "$name" -- sh -c 'ulimit -n 201; ulimit -n'
	assert_output 201
	berth rm -f "$name"
}
