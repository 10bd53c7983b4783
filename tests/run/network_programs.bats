#!/usr/bin/env bats
#
# Programs that people use, through the relay: clients in the workspace, servers outside the pod, and
# the other way round. Each checks what it got.

bats_require_minimum_version 1.5.0
load ../lib/common
load ../lib/network

setup()
{
	common_setup
	probe subids tool:python3 tool:ip tool:nsenter
	name=$(new_name)
}

teardown()
{
	pod_down
	common_teardown
}

# inside COMMAND...: in a workspace of its own; the test's directory is /test.
inside()
{
	chmod -R a+rX "$BATS_TEST_TMPDIR"
	run --separate-stderr berth_in_pod run --rm --name "$name" --net relay \
		-v "$BATS_TEST_TMPDIR:/test:ro" -- timeout 60 "$@"
	# shellcheck disable=SC2154 # bats sets it
	[ "$status" = 0 ] || fail "status $status: $output"$'\n'"$stderr"
}

# nginx_at_peer LINE...: a server of HTTP with TLS at 443 and without at 80, of the directory www;
# the lines go into each.
nginx_at_peer()
{
	local temp

	mkdir -p www/put
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=peer \
		-keyout key.pem -out cert.pem 2>/dev/null
	{
		echo "daemon off; pid $PWD/nginx.pid; error_log stderr notice; user root;"
		echo "events { worker_connections 4096; } http { access_log off;"
		for temp in client_body proxy fastcgi uwsgi scgi; do
			echo "${temp}_temp_path $PWD/$temp;"
		done
		echo "server { listen 80; listen [::]:80; listen 443 ssl http2; root $PWD/www;"
		echo "ssl_certificate $PWD/cert.pem; ssl_certificate_key $PWD/key.pem;"
		printf '%s\n' "$@"
		echo "} }"
	} >nginx.conf
	at_peer nginx -c "$PWD/nginx.conf" >nginx.log 2>&1 &
	test_processes+=("$!")
	wait_until 10 at_peer curl -so /dev/null http://10.9.0.2/
}

@test "HTTP/2: many streams in one connection, both ways" {
	probe tool:nginx tool:curl tool:openssl
	pod_up
	nginx_at_peer 'location /put { client_max_body_size 0; dav_methods PUT; }'
	for i in {1..60}; do
		head -c 100000 /dev/urandom >"www/$i"
	done
	head -c 20000000 /dev/urandom >www/large
	(cd www && sha256sum -- [0-9]* large >../sums)
	# shellcheck disable=SC2016 # for the shell inside
	inside bash -euc 'cd /tmp; mkdir got put; cd got
		curl -sk --http2 --parallel --parallel-max 61 -w "%{http_version} %{num_connects}\n" -O \
			"https://10.9.0.2/[1-60]" -O https://10.9.0.2/large >../told
		sha256sum --quiet -c /test/sums
		curl -skf --http2 -T large https://10.9.0.2/put/large -w "%{http_version} %{http_code}\n"
		grep -c "^2 " ../told; awk "{ n += \$2 } END { print n }" ../told'
	assert_equal "${lines[0]}" "2 201"
	assert_equal "${lines[1]}" 61
	[ "${lines[2]}" -lt 61 ] || fail "no connection was used twice: $output"
	cmp www/large www/put/large
}

@test "WebSocket: text, large messages, pings, and the end by either side" {
	probe tool:nginx file:/usr/lib/python3/dist-packages/websockets/__init__.py
	pod_up
	nginx_at_peer 'location /ws { proxy_pass http://127.0.0.1:8765; proxy_http_version 1.1;' \
		'proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection upgrade; }'
	cat >echo.py <<-'END'
		import asyncio, websockets
		async def echo(ws, path=None):
		    async for message in ws:
		        if message == "go":
		            await ws.close(4001, "gone")
		        await ws.send(message)
		async def main():
		    async with websockets.serve(echo, "127.0.0.1", 8765, max_size=None):
		        print("ready", flush=True)
		        await asyncio.Future()
		asyncio.run(main())
	END
	cat >talk.py <<-'END'
		import asyncio, os, websockets
		async def main():
		    async with websockets.connect("ws://10.9.0.2/ws", max_size=None) as ws:
		        for message in ["hello"] + [os.urandom(n) for n in (1, 65536, 3000000)]:
		            await ws.send(message)
		            assert await ws.recv() == message
		        await asyncio.wait_for(await ws.ping(), 5)
		        await ws.send("go")
		        try:
		            await ws.recv()
		        except websockets.ConnectionClosed:
		            print(ws.close_code, ws.close_reason)
		asyncio.run(main())
	END
	serve ws.log at_peer /usr/bin/python3 "$PWD/echo.py"
	inside /usr/bin/python3 /test/talk.py
	assert_output "4001 gone"
}

# ssh_keys DIRECTORY: a server's configuration, as it is found there; $PWD/id is who may come.
ssh_keys()
{
	ssh-keygen -qt ed25519 -N '' -f id
	ssh-keygen -qt ed25519 -N '' -f host
	echo 'root:*:20000:0:99999:7:::' >shadow # no password, and not locked
	cat >sshd_config <<-END
		AuthorizedKeysFile $1/id.pub
		PidFile none
		StrictModes no
		UsePAM no
		PermitRootLogin yes
		Subsystem sftp internal-sftp
	END
}

ssh_options=(-o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR -o ConnectTimeout=10)

@test "ssh out of the workspace: a command, many bytes both ways, a forwarded port" {
	probe tool:sshd tool:ssh tool:sftp
	pod_up
	ssh_keys "$PWD"
	# shellcheck disable=SC2016 # for the shell there
	at_peer unshare --mount sh -c 'mount -t tmpfs run /run; mkdir -m 755 /run/sshd
		install -m 600 "$1/host" /run/key; mount --bind "$1/shadow" /etc/shadow
		echo $$ >"$1/sshd.pid"; exec /usr/sbin/sshd -D -e -f "$1/sshd_config" -h /run/key' sh "$PWD" >sshd.log 2>&1 &
	test_processes+=("$!")
	wait_until 10 grep -q "listening on 0.0.0.0" sshd.log
	test_processes+=("$(<sshd.pid)") # it shows nobody its namespaces, so pod_down would not find it
	at_peer python3 -m http.server --bind 127.0.0.1 8000 >/dev/null 2>&1 &
	test_processes+=("$!")
	echo hello >index
	# shellcheck disable=SC2016 # for the shell inside
	inside bash -euc 'install -m 600 /test/id /tmp/id
		ssh=(ssh -i /tmp/id '"${ssh_options[*]}"' root@10.9.0.2)
		head -c 20000000 /dev/urandom >/tmp/data
		"${ssh[@]}" cat </tmp/data | cmp - /tmp/data
		"${ssh[@]}" -N -L 8000:127.0.0.1:8000 & sleep 1
		for i in {1..50}; do
			got=$(curl -s http://127.0.0.1:8000/index) && break; sleep 0.1
		done
		echo "$got"; kill $!; wait || true
		"${ssh[@]}" exit 7 || echo "status $?"'
	assert_output $'hello\nstatus 7'
}

@test "ssh into the workspace by a published port, which knows the client" {
	probe tool:sshd tool:ssh tool:sftp
	pod_up
	ssh_keys /test
	chmod -R a+rX .
	chmod 600 id
	# shellcheck disable=SC2016 # for the shell inside
	berth_in_pod run -d --name "$name" --net relay -p 2222:22 -v "$PWD:/test:ro" \
		-v "$PWD/shadow:/etc/shadow:ro" -- sh -c '
		mkdir -p /run/sshd; install -m 600 /test/host /tmp/host
		exec /usr/sbin/sshd -D -e -f /test/sshd_config -h /tmp/host'
	wait_until 20 ssh_answers || fail "$(berth_in_pod logs "$name")"
	head -c 5000000 /dev/urandom >data
	assert_equal "$(in_ssh sha256sum <data)" "$(sha256sum <data)"
	# shellcheck disable=SC2016 # for the shell inside
	run --separate-stderr in_ssh 'echo $SSH_CONNECTION'
	[[ $output == "10.9.0.2 "*" 198.18.240.2 22" ]] || fail "$output"
}

in_ssh() { at_peer ssh -i "$PWD/id" "${ssh_options[@]}" -p 2222 root@10.9.0.1 "$@"; }
ssh_answers() { in_ssh true </dev/null 2>/dev/null; }

@test "git clone and push over HTTP" {
	probe tool:git tool:nginx tool:curl tool:openssl
	pod_up
	nginx_at_peer
	git init -q work
	head -c 3000000 /dev/urandom >work/blob
	git -C work add blob
	git -C work -c user.name=t -c user.email=t@example.test commit -qm one
	git clone -q --bare work www/work.git
	git -C www/work.git update-server-info
	inside git clone -q http://10.9.0.2/work.git /tmp/clone
	# shellcheck disable=SC2016 # for the shell inside
	inside bash -euc 'git clone -q "http://[fd09::2]/work.git" /tmp/clone; cd /tmp/clone
		git fsck --strict 2>&1 >/dev/null; git rev-parse HEAD; sha256sum <blob'
	assert_output "$(git -C work rev-parse HEAD)"$'\n'"$(sha256sum <work/blob)"
}

@test "names of a real server: UDP, TCP, an answer too large for UDP, and a search domain" {
	probe tool:dig tool:dnsmasq
	pod_up
	text=()
	for i in {1..20}; do
		text+=("--txt-record=many.example.test,$(printf "%0200d" "$i")")
	done
	at_peer dnsmasq --keep-in-foreground --no-resolv --no-hosts --conf-file=/dev/null --user=root \
		--pid-file --log-facility=- --listen-address=10.9.0.2 --bind-interfaces \
		--address=/www.example.test/192.0.2.7 "${text[@]}" >dns.log 2>&1 &
	test_processes+=("$!")
	wait_until 10 grep -q started dns.log
	printf 'search example.test\nnameserver 10.9.0.2\n' >"$BATS_TEST_TMPDIR/resolv.conf"
	in_pod mount --bind "$BATS_TEST_TMPDIR/resolv.conf" "$(readlink -f /etc/resolv.conf)"
	inside bash -euc 'dig +short www.example.test
		dig +short +tcp www.example.test
		dig +search +short www
		dig +short TXT many.example.test | wc -l
		dig +ignore +noedns TXT many.example.test | grep -c "flags:.* tc"
		getent hosts www'
	assert_output $'192.0.2.7\n192.0.2.7\n192.0.2.7\n20\n1\n192.0.2.7       www.example.test'
}

@test "a path of MTU 1280: streams, IPv4 and IPv6" {
	probe tool:nginx tool:curl tool:openssl
	pod_up 1280
	nginx_at_peer 'location /put { client_max_body_size 0; dav_methods PUT; }'
	head -c 3000000 /dev/urandom >www/file
	inside bash -euc 'cd /tmp
		for host in 10.9.0.2 "[fd09::2]"; do
			curl -gsf "http://$host/file" >got; cmp got /test/www/file
			curl -gsf -T got "http://$host/put/${#host}"
		done'
	cmp www/file www/put/8
	cmp www/file www/put/9
}

@test "a path of MTU 1280: datagrams of all sizes, IPv4 and IPv6" {
	pod_up 1280
	cp "$BATS_TEST_DIRNAME"/../lib/relay_*.py .
	serve peer.log at_peer python3 relay_peer.py 10.9.0.2 fd09::2
	inside python3 /test/relay_client.py datagram 10.9.0.2 7
	assert_output all
	inside python3 /test/relay_client.py datagram fd09::2 7
	assert_output all
}

iperf_listens() { [ "$(at_peer ss -Hltn 'sport = 5201')" ]; }

@test "UDP at a steady rate arrives, both ways" {
	probe tool:iperf3 tool:jq
	pod_up
	serve iperf.log at_peer sh -c 'echo ready; exec iperf3 --server'
	wait_until 10 iperf_listens
	for way in "" --reverse; do
		for _ in 1 2 3; do # a machine that is busy may lose some for once
			# shellcheck disable=SC2086 # no word is none
			inside iperf3 --json --client 10.9.0.2 --udp --bitrate 2M --length 1200 --time 3 $way
			got=$(jq '.end.sum | .packets * (100 - .lost_percent) / 100 | floor' <<<"$output")
			[ "$got" -lt 600 ] || break
		done
		[ "$got" -ge 600 ] || fail "$got of 625 packets: $output"
	done
}

@test "apt installs from a mirror, and through a proxy" {
	probe debian tool:nginx tool:curl tool:openssl tool:dpkg-deb
	pod_up
	nginx_at_peer
	mkdir -p package/DEBIAN package/usr/bin
	printf 'Package: berth-hello\nVersion: 1\nArchitecture: all\nMaintainer: t <t@example.test>\nDescription: t\n' \
		>package/DEBIAN/control
	printf '#!/bin/sh\necho hello from the mirror\n' >package/usr/bin/berth-hello
	chmod 755 package/usr/bin/berth-hello
	dpkg-deb --root-owner-group --build package www/berth-hello.deb >/dev/null
	{
		dpkg-deb -f www/berth-hello.deb
		echo "Filename: ./berth-hello.deb"
		echo "Size: $(stat -c %s www/berth-hello.deb)"
		echo "SHA256: $(sha256sum <www/berth-hello.deb | cut -d ' ' -f 1)"
	} >www/Packages
	berth_in_pod run -d --name "$name" --net relay --rootfs "$BERTH_TEST_ROOTFS:O" -- sleep 600
	# shellcheck disable=SC2016 # for the shell inside
	run --separate-stderr berth_in_pod exec "$name" -- timeout 100 sh -euc '
		rm -rf /etc/apt/sources.list*
		echo "deb [trusted=yes] http://10.9.0.2/ ./" >/etc/apt/sources.list
		apt-get -q update >/dev/null; apt-get -qy install berth-hello >/dev/null
		berth-hello
		apt-get -qy purge berth-hello >/dev/null; apt-get clean
		sed -i "s/10.9.0.2/mirror.example.test/" /etc/apt/sources.list
		apt="apt-get -o Acquire::http::Proxy=http://10.9.0.2/ -q"
		$apt update >/dev/null; $apt -y install berth-hello >/dev/null
		berth-hello'
	assert_output $'hello from the mirror\nhello from the mirror'
}

# bats test_tags=debian
@test "docker pulls from a registry and pushes to it" {
	probe debian small tool:docker-registry tool:curl
	pod_up
	cat >registry.yml <<-END
		version: 0.1
		storage: { filesystem: { rootdirectory: $PWD/registry } }
		http: { addr: "10.9.0.2:5000" }
	END
	at_peer docker-registry serve "$PWD/registry.yml" >registry.log 2>&1 &
	test_processes+=("$!")
	wait_until 20 at_peer curl -sfo /dev/null http://10.9.0.2:5000/v2/
	echo '{ "insecure-registries": ["10.9.0.2:5000"] }' >daemon.json
	chmod a+r daemon.json
	berth_in_pod run -d --name "$name" --net relay --rootfs "$BERTH_TEST_ROOTFS:O" --init berth \
		-v "$PWD/daemon.json:/etc/docker/daemon.json:ro"
	berth_in_pod wait --ready --timeout 60 "$name"
	berth_in_pod exec -i "$name" -- docker import - small <"$BERTH_TEST_SMALL_TAR"
	# A layer of some size beside the small one.
	# shellcheck disable=SC2016 # for the shell inside
	run --separate-stderr berth_in_pod exec "$name" -- timeout 200 sh -euc '
		docker run --name big small dd if=/dev/urandom of=/big bs=1M count=30 2>/dev/null
		docker commit big 10.9.0.2:5000/big >/dev/null; docker rm -f big >/dev/null
		sum=$(docker run --rm 10.9.0.2:5000/big sha256sum /big)
		docker push -q 10.9.0.2:5000/big >/dev/null
		docker image rm -f 10.9.0.2:5000/big small >/dev/null
		docker pull -q 10.9.0.2:5000/big
		[ "$(docker run --rm 10.9.0.2:5000/big sha256sum /big)" = "$sum" ] && echo same'
	[ "$status" -eq 0 ] || fail "$stderr"
	assert_output $'10.9.0.2:5000/big:latest\nsame'
	[ "$(at_peer curl -s http://10.9.0.2:5000/v2/_catalog)" = '{"repositories":["big"]}' ]
}
