# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154 # shared with workspace.bats and pod.bash
# A developer's first and second day in a pod of the shipped manifests, for the files that test that
# from end to end: load ../lib/common, ../lib/image, ../pod/pod, then this.

# What the pods reach: a network of its own with a registry, by TLS and with a login, and a server of git.
cluster_ip=192.0.2.1
pod_ip=192.0.2.2

# A Debian with systemd and dockerd that has what a developer needs, and what pulls it.
probe_workspace()
{
	local name

	for name in dockerd docker-compose git make tcc skopeo umoci; do
		[ -n "$(compgen -G "${BERTH_TEST_WORKSPACE:-/nonexistent}/usr/*bin/$name")" ] ||
			fail "BERTH_TEST_WORKSPACE has no $name"
	done
}

in_cluster() { nsenter --net --target "$cluster" -- "$@"; }

# cluster_start: that network with its servers and what they have, in the current directory; sets
# cluster, registry, registry_pid and git_pid.
cluster_start()
{
	unshare --net sleep infinity 3>&- &
	cluster=$!
	wait_until 10 cluster_apart
	in_cluster ip link set lo up
	cluster_servers replace

	registry_host=$cluster_ip
	registry_in=(nsenter --net --target "$cluster" --)
	registry_start tls login
	project_make
	"${registry_in[@]}" "$(git --exec-path)/git-daemon" --base-path="$PWD/git" --export-all \
		--listen="$cluster_ip" >git.log 2>&1 3>&- &
	git_pid=$!

	# What the pod has as a Secret to pull with.
	mkdir secret
	cp registry/ca.crt secret
	printf '{ "auths": { "%s": { "auth": "%s" } } }\n' "$registry" "$(printf dev:s3cr3t | base64)" \
		>secret/.dockerconfigjson
	printf '%s\n' 'echo begun >>agent' 'exec sleep infinity' >secret/agent.sh
	chmod 755 . secret
}
cluster_apart() { [ "$(readlink "/proc/$cluster/ns/net")" != "$(readlink /proc/self/ns/net)" ]; }

cluster_stop()
{
	[ -z "${cluster:-}" ] || kill "$registry_pid" "$git_pid" "$cluster"
}

# cluster_servers replace|del: whether they are there for who asks.
cluster_servers() { in_cluster ip addr "$1" "$cluster_ip/32" dev lo; }

# project_make: an application of two services in a repository: web is built, and asks db.
project_make()
{
	local work=$PWD/project

	mkdir -p "$work/www/cgi-bin" git
	cat >"$work/compose.yaml" <<-END
		services:
		  db:
		    image: $registry/small:1
		    command: sh -c 'while :; do echo stored | nc -l -p 7000; done'
		    restart: always
		    stop_grace_period: 1s # a shell as the first process: nothing takes its SIGTERM
		  web:
		    build: .
		    ports: ["8080:80"]
		    depends_on: [db]
		    restart: always
		    stop_grace_period: 1s
	END
	printf '%s\n' "FROM $registry/small:1" 'COPY www /www' 'CMD ["httpd", "-f", "-p", "80", "-h", "/www"]' \
		>"$work/Dockerfile"
	# shellcheck disable=SC2016 # make's
	printf '%s\n' 'www/index.html: greet' '	./greet >$@' 'greet: greet.c' '	tcc -o $@ $<' >"$work/Makefile"
	printf '%s\n' '#include <stdio.h>' 'int main(void) { return puts("built at home") < 0; }' >"$work/greet.c"
	printf '%s\n' '#!/bin/sh' 'echo Content-type: text/plain' 'echo' 'nc -w 5 db 7000' >"$work/www/cgi-bin/db"
	chmod 755 "$work/www/cgi-bin/db"
	git -C "$work" init -q
	git -C "$work" add .
	git -C "$work" -c user.name=dev -c user.email=dev@example.org commit -qm application
	git clone -q --bare "$work" git/app
	touch git/app/git-daemon-export-ok
}

# layer_make: layer/, what makes a developer's machine of $BERTH_TEST_WORKSPACE.
layer_make()
{
	local etc=layer/etc

	mkdir -p "$etc/tmpfiles.d" "$etc/docker/certs.d/$registry"
	cp "$BERTH_TEST_WORKSPACE"/etc/{passwd,group} "$etc"
	echo 'dev:x:1000:1000::/home/dev:/bin/bash' >>"$etc/passwd"
	sed -i '/^docker:/s/$/dev/; $a dev:x:1000:' "$etc/group"
	# As templates/docker/Dockerfile has it.
	echo 'd /home/dev 0750 dev dev' >"$etc/tmpfiles.d/home.conf"
	cp registry/ca.crt "$etc/docker/certs.d/$registry"
}

# push_images TAR: team/workspace:1, of that tree and the layer, and small:1 for the application.
push_images()
{
	tar -C layer --owner=0 --group=0 -cf layer.tar .
	python3 "$pod_top/tests/lib/image_layout.py" layout workspace --layer "$1" --layer layer.tar \
		--config '{ "User": "dev", "WorkingDir": "/home/dev" }'
	python3 "$pod_top/tests/lib/image_layout.py" layout small --layer "$BERTH_TEST_SMALL_TAR" \
		--config '{ "Env": ["PATH=/bin"], "Cmd": ["sh"] }'
	push workspace team/workspace:1
	push small small:1
	rm -r layout layer.tar
}
push()
{
	in_cluster skopeo copy -q --dest-tls-verify=false --dest-creds dev:s3cr3t "oci:layout:$1" \
		"docker://$registry/$2"
}

# workspace_image: workspace_made gives the pod what templates/kubernetes/launcher has in its manifest.
workspace_image()
{
	workspace_env=("BERTH_IMAGE=$registry/team/workspace:1" BERTH_STORE=/var/lib/workspace/.store
		BERTH_USER=dev REGISTRY_AUTH_FILE=/etc/agent/.dockerconfigjson)
}

# workspace_made NAME OPTION...: the pod of $pod_manifest, whose workspace is that image and whose home
# is a volume; nothing runs yet.
workspace_made()
{
	local name=$1 option options=()

	for option in ${workspace_env[@]+"${workspace_env[@]}"} BERTH_BOOTSTRAP=/etc/agent/agent.sh \
		SSL_CERT_FILE=/etc/agent/ca.crt; do
		options+=(--env "$option")
	done
	pod_made "$name" . "${options[@]}" --bind "$BATS_FILE_TMPDIR/secret:/etc/agent:ro" "${@:2}"
}

# pod_up [COMMAND]: the container is made, gets the pod's network as of a network plugin, and starts;
# COMMAND is run before that. Sets began to the nanosecond of it.
pod_up()
{
	local pid

	pod_oci create --bundle "$pod_dir" "$pod" >"$pod_dir/log" 2>&1 <"$pod_dir/stdin" ||
		{ cat "$pod_dir/log"; return 1; }
	pid=$(pod_oci state "$pod" | jq .pid)
	in_cluster ip link del pod0 2>/dev/null || true # the last one's may go a moment later
	in_cluster ip link add pod0 type veth peer name eth0 netns "$pid"
	in_cluster ip link set pod0 up
	in_cluster ip route add "$pod_ip" dev pod0
	in_pod_net ip link set lo up
	in_pod_net ip addr add "$pod_ip/24" dev eth0
	in_pod_net ip link set eth0 up
	in_pod_net ip route add default via "$cluster_ip"
	"${@:-true}"
	began=$(date +%s%N)
	pod_oci start "$pod"
}

# workspace_up [COMMAND]: the same, waits until it is ready, and sets took to the milliseconds of that.
workspace_up()
{
	pod_up "$@"
	wait_until "${workspace_limit:-150}" ready_or_gone
	took=$((($(date +%s%N) - began) / 1000000))
	ready || fail "$(cat "$pod_dir/log")"
}
in_pod_net() { nsenter --net --target "$pid" -- "$@"; }
ready() { [ "$(pod_exec berth health --ready 2>&1)" = ready ]; }
gone() { [ "$(pod_oci state "$pod" | jq -r .status)" = stopped ]; }
ready_or_gone() { ready || gone; }

# workspace_down: as the kubelet ends a pod.
workspace_down()
{
	pod_oci kill "$pod" TERM
	wait_until 100 gone
}

# workspace_anew: the next pod, which has the volumes of this one and nothing else of it.
workspace_anew()
{
	pod_oci delete --force "$pod"
	umount "$pod_dir/root"
	rm -rf "$pod_dir/upper" "$pod_dir/work"
	pod_root
}

in_it() { pod_exec berth exec -- "$@"; }
# page PATH: what the application answers, asked from the pod at its published port.
page()
{
	# shellcheck disable=SC2016 # the pod's shell
	pod_exec timeout 5 bash -c 'exec 3<>"/dev/tcp/127.0.0.1/8080" && printf "GET %s HTTP/1.0\r\n\r\n" "$0" >&3 && cat <&3' "$1"
}
answers() { page "$1" 2>/dev/null | grep -qx "$2"; }
# agents: how often the bootstrap script has begun.
agents() { [ "$(in_it cat agent 2>/dev/null | grep -c begun)" -eq "$1" ]; }

# first_day: what the developer does.
first_day()
{
	run in_it sh -c 'id -un; pwd'
	assert_output $'dev\n/home/dev'
	wait_until 20 agents 1

	# What was pulled with is not in there.
	run pod_exec berth exec -u root -- sh -c 'env; test ! -e /etc/agent && test ! -e /etc/pull'
	assert_status 0
	[[ $output != *AUTH* && $output != *CERT* ]]
	printf s3cr3t | pod_exec berth exec -i -- docker login -u dev --password-stdin "$registry" 2>&1

	in_it sh -c "git clone -q git://$cluster_ip/app && make -C app"
	run in_it app/greet
	assert_output "built at home"
	run in_it sh -c 'cd app && docker-compose up -d --build'
	assert_status 0
	wait_until 30 answers / "built at home"
	wait_until 30 answers /cgi-bin/db stored
}

# second_day: what he finds the day after, with neither registry nor server there.
second_day()
{
	run cat "$pod_dir/log"
	[[ $output != *'"step":'* ]]
	wait_until 20 agents 2
	run in_it app/greet
	assert_output "built at home"
	run in_it docker images --format '{{.Repository}}:{{.Tag}}'
	assert_has "$registry/small:1"
	assert_has "app_web:latest"
	# The application was up, and is again.
	wait_until 30 answers / "built at home"
	wait_until 30 answers /cgi-bin/db stored
	run in_it sh -c 'cd app && docker-compose ps --services --filter status=running | sort'
	assert_output $'db\nweb'
}
