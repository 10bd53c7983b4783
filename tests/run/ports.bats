#!/usr/bin/env bats
#
# Published ports: clients are in the pod and outside it, servers in the workspace.

load ../lib/common
load ../lib/network
load ../lib/ports

setup()
{
	common_setup
	ports_setup
	export net=relay
}

teardown()
{
	pod_down
	common_teardown
}

@test "the workspace sees the client's address and port, IPv4 and IPv6, TCP and UDP" {
	workspace -p 8080:80 -p 8053:53/udp -- tcp:80 udp:53
	ask at_peer tcp 10.9.0.1 8080 --from 10.9.0.2 40001
	assert_output "from 10.9.0.2 40001"
	ask at_peer tcp fd09::1 8080 --from fd09::2 40002
	assert_output "from fd09::2 40002"
	ask at_peer udp 10.9.0.1 8053 --from 10.9.0.2 40003
	assert_output "from 10.9.0.2 40003"
	ask at_peer udp fd09::1 8053 --from fd09::2 40004
	assert_output "from fd09::2 40004"
	run berth_in_pod logs "$ws"
	[[ $output != *"shows inside"* ]]
}

@test "a client whose address the workspace cannot answer shows as the gateway, and that is said once" {
	# The image's own network, as docker0 would be.
	workspace -p 8080:80 -p 8053:53/udp -- tcp:80 udp:53
	berth_in_pod exec "$ws" -- ip link add docker0 type bridge
	berth_in_pod exec "$ws" -- ip addr add 172.17.0.1/16 dev docker0
	berth_in_pod exec "$ws" -- ip link set docker0 up
	in_pod ip addr add 172.17.0.5/32 dev lo
	for host in 127.0.0.1 ::1 172.17.0.5; do
		for _ in 1 2; do
			ask in_pod tcp "$host" 8080
			[[ $output =~ ^from\ (198.18.240.1|fd62:6572:7468::1)\ [0-9]+$ ]]
			ask in_pod udp "$host" 8053
			[[ $output =~ ^from\ (198.18.240.1|fd62:6572:7468::1)\ [0-9]+$ ]]
		done
	done
	run berth_in_pod logs "$ws"
	for port in 8080/tcp 8053/udp; do
		[ "$(grep -c "port $port: client 127.0.0.1 shows inside as the gateway, since it is the pod's loopback" <<<"$output")" = 1 ]
		[ "$(grep -c "port $port: client 172.17.0.5 shows inside as the gateway, since the workspace has" <<<"$output")" = 1 ]
	done
}

@test "a server of one family is found by clients of the other" {
	workspace -p 8080:80 -p 8081:81 -- tcp:80@0.0.0.0 tcp:81@fd62:6572:7468::2
	ask at_peer tcp fd09::1 8080
	assert_has "from 198.18.240.1 "
	ask at_peer tcp 10.9.0.1 8081
	assert_has "from fd62:6572:7468::1 "
	ask at_peer tcp 10.9.0.1 8080 --from 10.9.0.2 40005
	assert_output "from 10.9.0.2 40005"
}

@test "an egress policy says where the workspace begins something, not whom it answers" {
	workspace -p 8080:80 -p 8053:53/udp --egress-default deny -- tcp:80 udp:53
	for host in 10.9.0.1 fd09::1; do
		ask at_peer tcp $host 8080
		assert_has "from "
		ask at_peer udp $host 8053
		assert_has "from "
	done
	serve peer.log at_peer python3 ports_server.py udp:53 udp:40013
	run berth_in_pod exec "$ws" -- python3 /tests/ports_client.py udp 10.9.0.2 53
	[[ $output != *from* ]] || fail "$output"
	# Neither to the client of a published port, from another port than that.
	ask at_peer udp 10.9.0.1 8053 --from 10.9.0.2 40014
	assert_output "from 10.9.0.2 40014"
	serve other.log at_peer python3 ports_server.py udp:40014
	run berth_in_pod exec "$ws" -- python3 /tests/ports_client.py udp 10.9.0.2 40014
	[[ $output != *from* ]] || fail "$output"
}

@test "a pod without IPv6: its ::1 is served by IPv4 inside" {
	in_pod ip addr del fd09::1/64 dev pod0
	workspace -p 8080:80 -p 8053:53/udp -- tcp:80@0.0.0.0 udp:53@0.0.0.0
	for try in "tcp ::1 8080" "udp ::1 8053"; do
		# shellcheck disable=SC2086 # words
		ask in_pod $try
		assert_has "from 198.18.240.1 "
	done
	ask at_peer tcp 10.9.0.1 8080 --from 10.9.0.2 40012
	assert_output "from 10.9.0.2 40012"
}

@test "clients with link-local addresses are answered" {
	workspace -p 8080:80 -p 8053:53/udp -- tcp:80 udp:53
	local address
	address=$(in_pod ip -6 -o addr show dev pod0 scope link | sed 's|.*inet6 \([^/]*\)/.*|\1|')
	wait_until 5 has_no_tentative
	for try in "tcp $address%peer0 8080" "udp $address%peer0 8053"; do
		# shellcheck disable=SC2086 # words
		ask at_peer $try
		assert_has "from fd62:6572:7468::1 "
	done
	run berth_in_pod logs "$ws"
	assert_has "shows inside as the gateway, since it is link-local"
}

has_no_tentative() { [[ $(in_pod ip -6 addr)$(at_peer ip -6 addr) != *tentative* ]]; }

@test "a server that never reads makes its client wait" {
	workspace -p 8080:80 -- deaf:80
	ask at_peer stuff 10.9.0.1 8080
	[[ $output =~ ^stuck\ after\ ([0-9]+)$ ]] || fail "$output"
	[ "${BASH_REMATCH[1]}" -lt 40000000 ]
}

@test "a port at which nobody listens inside is a reset" {
	workspace -p 8080:80 -- tcp:81
	ask at_peer tcp 10.9.0.1 8080
	assert_output reset
	ask at_peer tcp fd09::1 8080
	assert_output reset
	ask at_peer tcp 10.9.0.1 8081
	assert_output refused
}

@test "a range, an address, and what docker port would say of them" {
	workspace -p 127.0.0.1:8080:80 -p '[fd09::1]:9000-9001:80-81' -p 8080:80/udp -- tcp:80 tcp:81
	ask in_pod tcp 127.0.0.1 8080
	assert_has "from "
	ask at_peer tcp 10.9.0.1 8080
	assert_output refused
	ask at_peer tcp fd09::1 9001 --from fd09::2 40006
	assert_output "from fd09::2 40006"
	ask at_peer tcp 10.9.0.1 9001
	assert_output refused
	run berth_in_pod port "$ws"
	assert_output "80/tcp -> 127.0.0.1:8080
80/tcp -> [fd09::1]:9000
81/tcp -> [fd09::1]:9001
80/udp -> 0.0.0.0:8080
80/udp -> [::]:8080"
	run berth_in_pod port "$ws" 80
	assert_output "127.0.0.1:8080
[fd09::1]:9000"
	run berth_in_pod port "$ws" 80/udp
	assert_output "0.0.0.0:8080
[::]:8080"
	run -125 berth_in_pod port "$ws" 81/udp
	assert_has "port '81/udp' of '$ws' is not published"
	for bad in 0 x 80/sctp 65536; do
		run -125 berth_in_pod port "$ws" "$bad"
		assert_has "'$bad'"
	done
	run berth_in_pod port --format json "$ws"
	run jq -r '.[] | [.address, .out, .in, .protocol, .auto] | @tsv' <<<"$output"
	assert_output "$(printf '%s\t%s\t%s\t%s\tfalse\n' 127.0.0.1 8080 80 tcp fd09::1 9000 80 tcp \
		fd09::1 9001 81 tcp '' 8080 80 udp)"
}

@test "the end of one direction, and resets, come through" {
	workspace -p 8080:80 -p 8081:81 -p 8082:82 -- sink:80 reset:81 tell_end:82
	ask at_peer half-close 10.9.0.1 8080 3000000
	assert_output "got 3000000"
	ask at_peer reset-us 10.9.0.1 8081
	assert_output "reset after 1000"
	ask at_peer reset-it 10.9.0.1 8082
	wait_until 5 says reset
	ask at_peer leave 10.9.0.1 8082
	wait_until 5 says end
}

@test "hundreds of connections at a time, and many bytes" {
	workspace -p 8080:80 -- echo:80
	ask at_peer many 10.9.0.1 8080 500
	assert_output "500 of 500"
	ask at_peer many fd09::1 8080 300
	assert_output "300 of 300"
	ask at_peer bulk 10.9.0.1 8080 200000000
	assert_output "got 200000000"
}

@test "datagrams of all sizes, and of hundreds of clients" {
	workspace -p 8053:53/udp -- udp:53
	for n in 1 1400 9000 60000; do
		ask at_peer datagram 10.9.0.1 8053 $n
		assert_output "$n"
		ask at_peer datagram fd09::1 8053 $n
		assert_output "$n"
	done
	ask at_peer many-clients 10.9.0.1 8053 200
	assert_output "200 of 200"
	# From the address that was asked, whichever the pod has.
	in_pod ip addr add 10.9.0.9/24 dev pod0
	ask at_peer udp 10.9.0.9 8053 --from 10.9.0.2 40007
	assert_output "from 10.9.0.2 40007"
}

@test "more clients of UDP than are remembered: the quiet ones go" {
	workspace -p 8053:53/udp -- udp:53
	ask at_peer one-by-one 10.9.0.1 8053 700
	assert_output "700 of 700"
	local open=("/proc/$(relay_of "$ws")/fd"/*)
	[ "${#open[@]}" -gt 100 ] && [ "${#open[@]}" -lt 650 ] || fail "${#open[@]} descriptors"
	ask at_peer udp 10.9.0.1 8053 --from 10.9.0.2 40015
	assert_output "from 10.9.0.2 40015"
}

# relay_of NAME: the relay's PID
relay_of()
{
	pgrep -x berth-relay -P "$(pgrep -x berth-warden -P \
		"$(berth_in_pod inspect "$1" | sed -n 's/^ *"supervisor": \([0-9]*\),$/\1/p')")"
}

@test "ports come and go while it runs" {
	workspace -- tcp:80 udp:80
	ask at_peer tcp 10.9.0.1 8080
	assert_output refused
	berth_in_pod port "$ws" --add 8080:80 --add 8080:80/udp
	ask at_peer tcp 10.9.0.1 8080 --from 10.9.0.2 40008
	assert_output "from 10.9.0.2 40008"
	ask at_peer udp 10.9.0.1 8080 --from 10.9.0.2 40008
	assert_output "from 10.9.0.2 40008"
	run -125 berth_in_pod port "$ws" --add 127.0.0.1:8080:81
	assert_has "publish '127.0.0.1:8080:81' of '$ws': port '8080:80/tcp' is published already"
	berth_in_pod port "$ws" --remove 8080:80
	ask at_peer tcp 10.9.0.1 8080
	assert_output refused
	berth_in_pod port "$ws" --add 8080:81 --remove 8080:81 --add 8080:80
	run berth_in_pod port "$ws"
	assert_output "80/udp -> 0.0.0.0:8080
80/udp -> [::]:8080
80/tcp -> 0.0.0.0:8080
80/tcp -> [::]:8080"
	run -125 berth_in_pod port "$ws" --remove 8080:81
	assert_has "port '8080:81/tcp' is not published"
	assert_has "hint: berth port NAME lists those that are"
}

@test "without a gateway nothing is published while it runs" {
	berth_in_pod run -d --name "$ws" --net none -- sleep 100
	run -125 berth_in_pod port "$ws" --add 8080:80
	assert_has "the workspace has no relay"
	assert_has "hint: published ports take --net relay"
	run berth_in_pod port "$ws"
	assert_output ""
}

@test "a connection survives the removal of its port" {
	workspace -p 8080:80 -- echo:80
	mkfifo fifo_in
	at_peer timeout 30 python3 -c '
import socket, sys
sock = socket.create_connection(("10.9.0.1", 8080))
sock.sendall(b"a"); assert sock.recv(1) == b"a"
print("stands", flush=True); sys.stdin.readline()
sock.sendall(b"b"); print(sock.recv(1).decode(), flush=True)' <fifo_in >out 2>&1 3>&- &
	test_processes+=("$!")
	exec 8>fifo_in
	wait_until 10 grep -q stands out
	berth_in_pod port "$ws" --remove 8080:80
	echo >&8
	exec 8>&-
	wait_until 5 grep -qx b out
}

@test "a workspace that is killed leaves its ports free" {
	workspace -p 8080:80 -p 8080:80/udp -- tcp:80
	kill -KILL "$(berth_in_pod inspect "$ws" | sed -n 's/^ *"supervisor": \([0-9]*\),$/\1/p')"
	wait_until 5 is_free
	berth_in_pod rm -f "$ws"
	workspace -p 8080:80 -p 8080:80/udp -- tcp:80
	ask at_peer tcp 10.9.0.1 8080 --from 10.9.0.2 40009
	assert_output "from 10.9.0.2 40009"
}

is_free() { [ -z "$(in_pod ss -Hltun '( sport = 8080 or sport = 8081 )')" ]; }

@test "start opens what run did, stop closes it" {
	workspace -p 8080:80 --  tcp:80
	berth_in_pod port "$ws" --add 8081:80
	berth_in_pod stop "$ws"
	wait_until 10 is_free
	run berth_in_pod port "$ws"
	assert_output ""
	berth_in_pod start "$ws"
	wait_until 10 served
	ask at_peer tcp 10.9.0.1 8080 --from 10.9.0.2 40010
	assert_output "from 10.9.0.2 40010"
	run berth_in_pod port "$ws"
	assert_output "80/tcp -> 0.0.0.0:8080
80/tcp -> [::]:8080"
}

# refused_run HINT TEXT OPTION...: run fails, says both, and starts nothing
refused_run()
{
	run -125 berth_in_pod run --name "$ws" -v "$BATS_TEST_TMPDIR:/out" "${@:3}" -- touch /out/started
	assert_has "$2"
	assert_has "hint: $1"
	[ ! -e started ]
	run -125 berth_in_pod inspect "$ws"
}

@test "what cannot be published is refused before anything starts" {
	local with=(--net relay)

	serve holder.log in_pod python3 -c '
import socket, time
sock = socket.create_server(("10.9.0.1", 8080)); print("ready", flush=True); time.sleep(60)'
	refused_run "another program of the pod has that port" "open port '8080:80/tcp'" "${with[@]}" -p 8080:80
	refused_run "another program of the pod has that port" "open port '8080:90/tcp'" "${with[@]}" -p 8070-8089:80-99
	run in_pod ss -Hltn 'sport >= 8070 and sport < 8080'
	assert_output ""
	refused_run "the pod has no such address" "open port '10.9.0.77:8081:80/tcp'" "${with[@]}" -p 10.9.0.77:8081:80
	refused_run "a port of the pod leads to one place" "-p '8081:80/tcp' and -p '127.0.0.1:8080-8082:1-3/tcp' overlap" \
		"${with[@]}" -p 8081:80 -p 127.0.0.1:8080-8082:1-3
	refused_run "a port leads through the workspace's own gateway" "-p '8081:80/tcp' with --net none" --net none -p 8081:80
	refused_run "with --net host the workspace opens ports of the pod itself" "-p '8081:80/tcp' with --net host" \
		--net host -p 8081:80
	for bad in 80 8080: :80 0:80 8080:65536 8080:80/sctp 1-2:1-3 ::1:8080:80 x:8080:80 8080:80x '[::1:8080:80' 2-1:2-1; do
		refused_run "ports are [IP:]OUT:IN[/tcp|udp]" "'$bad'" "${with[@]}" -p "$bad"
	done
	refused_run "a workspace has 512 published ports at most" "-p: 600 ports" "${with[@]}" \
		-p 2000-2299:1-300 -p 3000-3299:1-300
	refused_run "it says which ports -p auto may open" "--publish-allow '80' without -p auto" "${with[@]}" \
		--publish-allow 80
	refused_run "ports are listed as" "'80/sctp' is no port" "${with[@]}" -p auto --publish-deny 1-9,80/sctp
}

@test "a privileged port takes privilege" {
	# berth_in_pod is root of the pod; this is somebody else in it, with a directory of his own.
	theirs=$(mktemp -d /tmp/theirs.XXXXXX)
	in_pod chown 1:1 "$theirs"
	run -125 in_cgroup nsenter -t "$pod_pid" -U -n -m -S 1 -G 1 --wd=/ -- \
		env XDG_RUNTIME_DIR="$theirs" "$BERTH" run --net relay -p 80:80 -- true
	in_pod rm -r "$theirs"
	assert_has "open port '80:80/tcp': Permission denied"
	assert_has "hint: ports below net.ipv4.ip_unprivileged_port_start"
}

@test "what listens inside appears on the pod, and goes" {
	workspace -p auto -p 9090:90 --publish-deny 83 -- tcp:8081 tcp:82@127.0.0.1 tcp:83 tcp:90 udp:84
	wait_until 5 lists "8081/tcp -> 0.0.0.0:8081"
	ask at_peer tcp 10.9.0.1 8081 --from 10.9.0.2 40011
	assert_output "from 10.9.0.2 40011"
	run berth_in_pod port "$ws"
	assert_output "90/tcp -> 0.0.0.0:9090
90/tcp -> [::]:9090
8081/tcp -> 0.0.0.0:8081
8081/tcp -> [::]:8081"
	berth_in_pod exec "$ws" -- timeout 60 python3 -m http.server 8000 3>&- >/dev/null 2>&1 &
	test_processes+=("$!")
	wait_until 10 answers http://10.9.0.1:8000/
	berth_in_pod exec "$ws" -- pkill -f http.server
	wait_until 5 refuses 8000
	berth_in_pod port "$ws" --remove auto
	ask at_peer tcp 10.9.0.1 8081
	assert_output refused
	berth_in_pod port "$ws" --add 127.0.0.1:auto
	wait_until 5 lists "8081/tcp -> 127.0.0.1:8081"
}

answers() { at_peer curl -sf -o /dev/null --max-time 5 "$1"; }
refuses() { [ "$(at_peer python3 ports_client.py tcp 10.9.0.1 "$1")" = refused ]; }

@test "-p auto opens what is allowed, UDP only when named, and says what it could not" {
	serve holder.log in_pod python3 -c '
import socket, time
sock = socket.create_server(("10.9.0.1", 8083)); print("ready", flush=True); time.sleep(60)'
	workspace -p auto --publish-allow 8000-8099,84/udp --publish-deny 8082 -- tcp:8081 tcp:8082 tcp:8083 tcp:9000 udp:84 udp:85
	wait_until 5 lists "8081/tcp -> 0.0.0.0:8081"
	wait_until 5 lists "84/udp -> 0.0.0.0:84"
	wait_until 5 is_told
	run in_pod ss -Hltun '( sport = 8082 or sport = 9000 or sport = 85 )'
	assert_output ""
	# And not again with each look.
	sleep 1
	[ "$(berth_in_pod logs "$ws" | grep -c 8083/tcp)" = 1 ]
}

is_told() { berth_in_pod logs "$ws" | grep -q "port 8083/tcp listens inside and is not published: open port '8083:8083/tcp': Address already in use"; }

@test "a reset by nginx, and files by curl, with the client's address in the log" {
	probe tool:nginx
	head -c 30000000 /dev/urandom >"$BATS_TEST_TMPDIR/file"
	cat >"$BATS_TEST_TMPDIR/nginx.conf" <<-END
		daemon off; pid /tmp/nginx.pid; error_log stderr; user root;
		events { }
		http {
			access_log /dev/stdout;
			client_body_temp_path /tmp/a; proxy_temp_path /tmp/b; fastcgi_temp_path /tmp/c;
			uwsgi_temp_path /tmp/d; scgi_temp_path /tmp/e;
			server { listen 80; listen [::]:80; root /tests; location /gone { return 444; } }
		}
	END
	chmod -R a+rX "$BATS_TEST_TMPDIR"
	berth_in_pod run -d --name "$ws" --net relay -p 8080:80 -v "$BATS_TEST_TMPDIR:/tests:ro" -- \
		nginx -c /tests/nginx.conf
	wait_until 10 answers http://10.9.0.1:8080/nginx.conf
	at_peer curl -sf --max-time 20 http://10.9.0.1:8080/file | cmp - file
	at_peer curl -gsf --max-time 20 "http://[fd09::1]:8080/file" | cmp - file
	run -52 at_peer curl -s --max-time 5 http://10.9.0.1:8080/gone
	run berth_in_pod logs "$ws"
	assert_has "10.9.0.2 - - "
	assert_has "fd09::2 - - "
}

@test "a port that the relay was too busy to take is not open behind the supervisor's back" {
	workspace -p 8080:80 -- tcp:80
	relay=$(relay_of "$ws")
	in_pod kill -STOP "$relay"
	begun=${EPOCHREALTIME/[.,]/}
	berth_in_pod port "$ws" --add 8081:81 >added 2>&1 &
	adding=$!
	berth_in_pod port "$ws" --remove 8080:80 >removed 2>&1 &
	removing=$!
	# The supervisor serves others meanwhile, and each of these gets its own answer.
	berth_in_pod exec "$ws" true
	took=$((${EPOCHREALTIME/[.,]/} - begun))
	[ "$took" -lt 4000000 ] || fail "the supervisor took $took us"
	[[ $(berth_in_pod port "$ws") != *8081* ]]
	status=0
	wait "$adding" || status=$?
	assert_equal "$status" 125
	run cat added
	assert_has "timed out"
	status=0
	wait "$removing" || status=$?
	assert_equal "$status" 125
	run cat removed
	assert_has "timed out"
	in_pod kill -CONT "$relay"
	run berth_in_pod port "$ws"
	[[ $output != *8081* ]] || fail "$output"
	wait_until 5 free_8081
	berth_in_pod port "$ws" --add 8081:81
}

# none_of_range: nobody listens there.
none_of_range() { [ -z "$(in_pod ss -Hltn 'sport >= 20000 and sport <= 20511')" ]; }

# bats test_tags=long
@test "a whole range of ports is opened and closed, and is closed where the relay was too busy for it" {
	workspace -- tcp:80
	relay=$(relay_of "$ws")
	berth_in_pod port "$ws" --add 20000-20511:1000-1511
	# Each at IPv4 and IPv6.
	assert_equal "$(berth_in_pod port "$ws" | wc -l)" 1024
	berth_in_pod port "$ws" --remove 20000-20511:1000-1511
	wait_until 5 none_of_range
	in_pod kill -STOP "$relay"
	run berth_in_pod port "$ws" --add 20000-20511:1000-1511
	assert_status 125
	assert_has "timed out"
	# Positive control: those that it had been given are open.
	run ! none_of_range
	run berth_in_pod port "$ws"
	[[ $output != *20000* ]] || fail "$output"
	in_pod kill -CONT "$relay"
	wait_until 5 none_of_range
	berth_in_pod port "$ws" --add 20000-20511:1000-1511
	assert_equal "$(berth_in_pod port "$ws" | wc -l)" 1024
}

free_8081() { [ -z "$(in_pod ss -Hltn 'sport = 8081')" ]; }

relay_of()
{
	local supervisor

	supervisor=$(berth_in_pod inspect "$1" | sed -n 's/^ *"supervisor": \([0-9]*\),$/\1/p')
	pgrep -x berth-relay -P "$(pgrep -d , -P "$supervisor")"
}

# bats test_tags=long
@test "-p auto waits for no relay: the supervisor serves others, and the port comes later" {
	workspace -p auto -- tcp:8081
	wait_until 5 lists "8081/tcp -> 0.0.0.0:8081"
	relay=$(relay_of "$ws")
	in_pod kill -STOP "$relay"
	berth_in_pod exec -d "$ws" -- python3 /tests/ports_server.py tcp:8082 tcp:8083 tcp:8084
	wait_until 5 listening 8084
	# Each would have been waited for on its own.
	for _ in {1..8}; do
		begun=${EPOCHREALTIME/[.,]/}
		berth_in_pod exec "$ws" true
		took=$((${EPOCHREALTIME/[.,]/} - begun))
		[ "$took" -lt 3000000 ] || fail "the supervisor took $took us"
		sleep 0.2
	done
	run berth_in_pod port "$ws"
	[[ $output != *808[234]* ]] || fail "$output"
	wait_until 10 is_slow
	in_pod kill -CONT "$relay"
	for port in 8082 8083 8084; do
		wait_until 5 lists "$port/tcp -> 0.0.0.0:$port"
	done
	ask at_peer tcp 10.9.0.1 8083 --from 10.9.0.2 40013
	assert_output "from 10.9.0.2 40013"
	[ "$(berth_in_pod logs "$ws" | grep -c 8083/tcp)" = 1 ]
}

listening() { [ -n "$(in_pod ss -Hltn "sport = $1")" ]; }
is_slow() { berth_in_pod logs "$ws" | grep -q "port 8083/tcp listens inside and is not published: wait for the relay: Connection timed out"; }

@test "ps shows ports as docker ps does, neighbours as one range" {
	workspace -p 8080-8082:80-82 -p 127.0.0.1:8083:83 -p '[::1]:5300:53/udp' -- tcp:80
	run berth_in_pod ps
	[[ ${lines[0]} == NAME*STATUS*PORTS ]]
	assert_has "0.0.0.0:8080-8082->80-82/tcp, [::]:8080-8082->80-82/tcp, 127.0.0.1:8083->83/tcp, [::1]:5300->53/udp"
	assert_equal "$(berth_in_pod ps --format json | jq -c ".[] | select(.name == \"$ws\") | .ports[3]")" \
		'{"address":"127.0.0.1","out":8083,"in":83,"protocol":"tcp","auto":false}'
	berth_in_pod stop -t 1 "$ws"
	run berth_in_pod ps -a
	[[ $output != *8080* ]] || fail "$output"
}
