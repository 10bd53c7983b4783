# bats file_tags=debian
# systemd-resolved inside: it asks the gateway, whether the image has its link or it came later, and so
# do those who ask it. The pod's name server is somebody at the peer's.

bats_require_minimum_version 1.5.0
load ../lib/common
load ../lib/network

setup()
{
	common_setup
	probe debian subids tool:ip tool:nsenter tool:dnsmasq file:/etc/resolv.conf resolved
	pod_up
	name=$(new_name)
	cat >hosts <<-'END'
		10.96.0.1 kubernetes.default.svc.cluster.local
		10.96.0.2 web.team.svc.cluster.local
		10.1.2.3 db.example.test
		fd00::3 db.example.test
	END
	at_peer dnsmasq --keep-in-foreground --listen-address 10.9.0.2 --bind-interfaces --no-resolv \
		--no-hosts --addn-hosts="$PWD/hosts" --local=/cluster.local/ --local=/example.test/ --user=root --group=root --pid-file="$PWD/pid" 3>&- &
	test_processes+=("$!")
	wait_until 5 test -e pid
	pod_resolver 10.9.0.2
	printf '%s\n' 'search team.svc.cluster.local svc.cluster.local cluster.local example.test' \
		'options ndots:5' >>resolv.conf
}

teardown()
{
	pod_down
	common_teardown
}

probe_resolved() { [ -e "$BERTH_TEST_ROOTFS/usr/lib/systemd/systemd-resolved" ]; }

# image: prints the path of a root file system that is Debian's with changes on top, in the pod
image()
{
	local over=$PWD/over

	mkdir -p "$over"
	in_pod mount -t tmpfs over "$over"
	in_pod mkdir "$over/upper" "$over/work" "$over/root"
	in_pod mount -t overlay -o "lowerdir=$BERTH_TEST_ROOTFS,upperdir=$over/upper,workdir=$over/work,userxattr" \
		over "$over/root"
	printf '%s\n' "$PWD/over/root"
}

# asks: in a workspace of systemd; what resolvectl and the C library say
asks()
{
	run --separate-stderr berth_in_pod exec "$name" -- timeout 60 sh -c '
		resolvectl query --legend=no kubernetes.default.svc.cluster.local | cut -d" " -f1,2
		getent ahostsv4 kubernetes.default.svc.cluster.local | sed -n "s/ *STREAM.*//p"
		getent ahostsv4 kubernetes.default | sed -n "s/ *STREAM.*//p"
		getent ahostsv4 web | sed -n "s/ *STREAM.*//p"
		getent ahostsv4 db | sed -n "s/ *STREAM.*//p"
		getent ahostsv6 db.example.test | sed -n "s/ *STREAM.*//p"
		getent hosts nobody.example.test || echo unknown'
	assert_output "kubernetes.default.svc.cluster.local: 10.96.0.1
10.96.0.1
10.96.0.1
10.96.0.2
10.1.2.3
fd00::3
unknown"
}

@test "systemd-resolved of the image: names, cluster names and search domains" {
	root=$(image)
	in_pod systemctl --root="$root" --quiet unmask systemd-resolved.service
	in_pod systemctl --root="$root" --quiet enable systemd-resolved.service
	in_pod ln -sf ../run/systemd/resolve/stub-resolv.conf "$root/etc/resolv.conf"
	berth_in_pod run -d --name "$name" --net relay --rootfs "$root:O"
	berth_in_pod wait --ready --timeout 60 "$name"
	run berth_in_pod exec "$name" -- sh -c 'readlink /etc/resolv.conf; grep -v "^#" /etc/resolv.conf; resolvectl dns; resolvectl domain'
	assert_has "../run/systemd/resolve/stub-resolv.conf"
	assert_has "nameserver 127.0.0.53"
	assert_has "search team.svc.cluster.local svc.cluster.local cluster.local example.test"
	assert_has "Global: 198.18.240.1"
	asks
}

@test "systemd-resolved that comes later finds the gateway in the file that is there" {
	berth_in_pod run -d --name "$name" --net relay --rootfs "$BERTH_TEST_ROOTFS:O"
	berth_in_pod wait --ready --timeout 60 "$name"
	berth_in_pod exec "$name" -- systemctl unmask --quiet systemd-resolved.service
	berth_in_pod exec "$name" -- systemctl enable --quiet --now systemd-resolved.service
	run berth_in_pod exec "$name" -- sh -c 'cat /etc/resolv.conf; resolvectl dns'
	assert_has "nameserver 198.18.240.1"
	assert_has "Global: 198.18.240.1"
	asks
}

@test "a link to what systemd-resolved would write leads to the gateway without systemd, too" {
	root=$(image)
	in_pod ln -sf ../run/systemd/resolve/stub-resolv.conf "$root/etc/resolv.conf"
	run -0 --separate-stderr berth_in_pod run --rm --name "$name" --net relay --rootfs "$root:O" -- sh -c '
		cat /etc/resolv.conf; getent ahostsv4 web | sed -n "s/ *STREAM.*//p"'
	assert_output "nameserver 198.18.240.1
search team.svc.cluster.local svc.cluster.local cluster.local example.test
options ndots:5
10.96.0.2"
}
