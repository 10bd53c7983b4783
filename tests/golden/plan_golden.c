/*
 * What berth plans, for named facts and options.
 *
 *	plan_golden --list	the names
 *	plan_golden NAME	the command line, then the plan or why there is none
 *	plan_golden --check	what holds for all of them: that planning is pure, and
 *				that they show each step there is
 *
 * plan.sh compares the outputs with plan/NAME.txt.
 */
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "image.h"
#include "ns.h"
#include "plan.h"
#include "run.h"
#include "tests/golden/pods.h"

#define WORDS_MAX 40
#define N_ELEMENTS(array) (sizeof(array) / sizeof((array)[0]))

/* In words rather than one string: what a shell would have made of it. */
static const struct plan_case {
	const char *name;
	const struct facts *facts;
	const char *option[WORDS_MAX];
} cases[] = {
#define OS "--rootfs", "/srv/debian"
	/* clang-format off */
	{ "user-systemd",            &user_scope,        { OS } },
	/* What plan.sh compares with the one above. */
	{ "user-systemd-docker",     &user_scope,        { "--net", "none", OS, "--policy", "systemd-docker" } },
	{ "user-systemd-no-policy",  &user_scope,        { "--net", "none", OS, "--policy", "none" } },
	{ "user-systemd-few",        &user_few,          { OS } },
	{ "user-pids-few",           &user_few,          { OS, "--pids", "8192", "true" } },
	{ "user-systemd-overlay",    &user_scope,        { "--rootfs", "/srv/debian:O" } },
	{ "user-systemd-state",      &user_scope,        { "--rootfs", "/srv/debian:O", "--state", "/var/lib/ws" } },
	{ "user-systemd-net-host",   &user_scope,        { OS, "--net", "host" } },
	{ "user-systemd-json",       &user_scope,        { OS, "--format", "json" } },
	{ "user-systemd-no-cgroup",  &user_no_cgroup,    { OS } },
	{ "user-systemd-by-scope",   &user_session,      { OS } },
	{ "user-command",            &user_scope,        { OS, "--", "sh", "-c", "echo $HOME; exit 3" } },
	{ "user-command-session",    &user_session,      { OS, "true" } },
	{ "user-command-none",       &user_scope,        { OS, "--init", "none", "true" } },
	{ "user-command-all",        &user_scope,        { OS, "--init", "berth", "--net", "host", "-it", "--rm",
	                                                   "-v", "/src:/work", "-v", "/key:/etc/key:ro", "-v", "/cache:/var/cache",
	                                                   "-e", "LANG=C.UTF-8", "-e", "TERM=vt100", "-u", "dev:dev", "-w", "/work",
	                                                   "--hostname", "box", "--pids", "512", "--watches", "1000",
	                                                   "--inotify-instances", "64", "make", "check" } },
	{ "user-devices",            &user_scope,        { OS, "--device", "/dev/fuse", "true" } },
	{ "user-device-missing",     &user_scope,        { OS, "--device", "/dev/fuse", "--device", "/dev/sda", "true" } },
	{ "user-device-best-effort", &user_scope,        { OS, "--device", "/dev/nvidia0:/dev/gpu", "--device", "/dev/a", "--device", "/dev/net/tun", "--best-effort", "device", "true" } },
	{ "user-device-taken",       &user_scope,        { OS, "--device", "/dev/fuse:/dev/null", "true" } },
	{ "user-budgets",            &user_scope,        { OS, "--user-namespaces", "0", "--pid-namespaces", "40", "--pending-signals", "1000",
	                                                   "--message-queues", "64k", "--locked-shm", "1m", "--inotify-instances", "100", "true" } },
	{ "user-flat",               &user_scope,        { OS, "--nested", "false", "true" } },
	{ "user-flat-contradiction", &user_scope,        { OS, "--nested", "false", "--user-namespaces", "3", "true" } },
	{ "user-capabilities",       &user_scope,        { OS, "--cap-drop", "NET_RAW", "--cap-drop", "cap_sys_time,chown", "--cap-add", "chown", "--user-namespaces", "0", "true" } },
	{ "user-capabilities-all",   &user_scope,        { OS, "--cap-drop", "all", "--cap-add", "chown", "true" } },
	{ "user-capabilities-bad",   &user_scope,        { OS, "--cap-drop", "net_rav", "true" } },
	{ "user-seccomp",            &user_scope,        { OS, "--seccomp-allow", "bpf", "--seccomp-allow", "socket:AF_ALG", "--seccomp-deny", "ptrace,clone3", "true" } },
	{ "user-seccomp-i386",       &user_scope,        { OS, "--seccomp", "workspace-i386", "true" } },
	{ "user-audit-permissive",   &user_scope,        { OS, "--audit-log", "/srv/log", "--audit-permissive", "--seccomp-deny", "ptrace", "true" } },
	{ "user-audit-without-log",  &user_scope,        { OS, "--audit-syscalls", "true" } },
	{ "user-seccomp-unknown",    &user_scope,        { OS, "--seccomp-deny", "ptrase", "true" } },
	{ "user-seccomp-never",      &user_scope,        { OS, "--seccomp-allow", "bpf,kexec_load", "true" } },
	{ "user-budgets-too-many",   &user_scope,        { OS, "--message-queues", "1m", "true" } },
	{ "user-limits",             &user_scope,        { OS, "--pids", "512", "--watches", "65536", "true" } },
	{ "user-memory-by-scope",    &user_session,      { OS, "--memory", "512m", "true" } },
	{ "user-pids-session",       &user_session,      { OS, "--pids", "100", "true" } },
	{ "user-memory-no-cgroup",   &user_no_cgroup,    { OS, "--memory", "512m", "true" } },
	{ "user-cpuset-missing",     &user_scope,        { OS, "--cpuset", "0-1", "true" } },
	{ "user-best-effort",        &user_scope,        { OS, "--cpuset", "0-1", "--memory", "512m", "--cpus", "1.5",
	                                                   "--best-effort", "cpuset,memory", "true" } },
	{ "user-shell",              &user_root_scope,   { OS, "-it" } },
	{ "user-own-in-range",       &user_own_in_range, { OS, "true" } },
	{ "user-host",               &user_host,         { "true" } },
	{ "user-host-net-host",      &user_host,         { "--net", "host", "true" } },
	{ "user-host-auto",          &user_host,         { "-it" } },
	{ "user-host-systemd",       &user_host,         { "--init", "systemd" } },
	{ "user-host-one-id",        &user_host_one_id,  { "true" } },
	{ "user-ids",                &user_scope,        { OS, "--uidmap", "1:100500:1000", "--uidmap", "0:1000", "--gidmap", "0:1000:1", "true" } },
	{ "user-ids-root-other",     &user_scope,        { OS, "--uidmap", "0:100000:1000", "--uidmap", "1000:1000:1", "true" } },
	{ "user-ids-systemd",        &user_scope,        { OS, "--uidmap", "0:1000", "--uidmap", "1:100000:999" } },
	{ "user-ids-no-group",       &user_scope,        { OS, "--uidmap", "0:100000:1000", "-it", "sh" } },
	{ "user-ids-not-ours",       &user_scope,        { OS, "--uidmap", "0:1000:1", "--uidmap", "1:99999:10", "true" } },
	{ "user-ids-overlap",        &user_scope,        { OS, "--uidmap", "0:1000:1", "--uidmap", "1:1000:10", "true" } },
	{ "user-ids-no-root",        &user_scope,        { OS, "--gidmap", "1:100000:10", "true" } },
	{ "user-ids-image",          &user_scope,        { "--image", "debian:12", "--store", "/store", "--uidmap", "0:1000", "true" } },
	{ "one-id-ids",              &user_one_id,       { OS, "--uidmap", "0:1000:1", "--uidmap", "1:100000:10", "true" } },
	{ "pod-ids",                 &pod,               { OS, "--uidmap", "0:500:1000", "--uidmap", "2000:0:1", "--memory", "1g", "true" } },
	{ "one-id-command",          &user_one_id,       { OS, "true" } },
	{ "one-id-systemd",          &user_one_id,       { OS } },
	{ "no-newuidmap-command",    &user_no_newuidmap, { OS, "true" } },
	{ "no-newuidmap-systemd",    &user_no_newuidmap, { OS } },
	{ "no-new-privs-command",    &user_no_new_privs, { OS, "true" } },
	{ "no-new-privs-systemd",    &user_no_new_privs, { OS } },
	{ "pod-user-ids-elsewhere",  &pod_user_ids_elsewhere, { OS, "true" } },
	{ "pod-user-weak-helper",    &pod_user_weak_helper, { OS, "true" } },
	{ "pod-user-file-caps",      &pod_user_file_caps, { OS, "true" } },
	{ "few-ids-command",         &user_few_ids,      { OS, "true" } },
	{ "few-ids-systemd",         &user_few_ids,      { OS } },
	{ "pod-systemd",             &pod,               { OS } },
	{ "pod-systemd-net-host",    &pod,               { OS, "--net", "host" } },
	{ "pod-systemd-sys-masked",  &pod_sys_masked,    { OS } },
	{ "pod-systemd-in-leaf",     &pod_in_leaf,       { OS } },
	{ "pod-systemd-no-cgroup",   &pod_no_cgroup,     { OS } },
	{ "pod-systemd-hidden-cgroup", &pod_hidden_cgroup, { OS } },
	{ "pod-systemd-masked",      &pod_masked,        { OS } },
	{ "pod-systemd-missing",     &pod_no_init,       { OS, "--init", "systemd" } },
	{ "pod-fresh-cgroup",        &pod_fresh_cgroup,  { OS } },
	{ "pod-read-only",           &pod_read_only,     { OS, "-i", "true" } },
	{ "pod-no-clone3",           &pod_no_clone3,     { OS, "-i", "true" } },
	{ "pod-no-cgroup",           &pod_no_cgroup,     { OS, "true" } },
	{ "pod-no-caps",             &pod_no_caps,       { OS, "true" } },
	{ "pod-two-extents",         &pod_two_extents,   { OS, "true" } },
	{ "pod-limits",              &pod,               { OS, "--cpus", "1.5", "--cpu-weight", "50", "--cpuset", "0-3",
	                                                   "--memory", "512m", "--memory-high", "400m", "--swap", "0",
	                                                   "--pids", "512", "--io", "8:0:rbps=1m,wiops=100",
	                                                   "--hugetlb", "2m:64m", "--max-descendants", "100",
	                                                   "--max-depth", "8", "true" } },
	{ "pod-limits-no-cgroup",    &pod_no_cgroup,     { OS, "--cpus", "2", "--pids", "512", "true" } },
	{ "pod-limits-best-effort",  &pod_no_cgroup,     { OS, "--cpus", "2", "--memory", "1g", "--pids", "512",
	                                                   "--best-effort", "cpus,memory", "true" } },
	{ "pod-limits-hidden",       &pod_hidden_cgroup, { OS, "--memory", "1g", "true" } },
	{ "pod-io-no-device",        &pod,               { OS, "--io", "/dev/none:rbps=1m", "true" } },
	{ "pod-oom-highest",         &pod_oom_highest,   { OS, "true" } },
	{ "pod-auto-without-init",   &pod_no_init,       { OS } },
	{ "pod-masked",              &pod_masked,        { OS, "true" } },
	{ "pod-masked-watches",      &pod_masked,        { OS, "--watches", "1000", "true" } },
	{ "pod-masked-best-effort",  &pod_masked,        { OS, "--watches", "1000", "--best-effort", "watches", "true" } },
	{ "pod-watches-too-many",    &pod,               { OS, "--watches", "65537", "true" } },
	{ "pod-instances-too-many",  &pod,               { OS, "--inotify-instances", "129", "true" } },
	{ "pod-docker-systemd",      &pod_docker,        { OS } },
	{ "pod-docker-masked",       &pod_docker_masked, { OS, "--init", "berth" } },
	{ "pod-docker-no-cgroup",    &pod_docker_no_cgroup, { OS } },
	{ "pod-docker-no-cgroup-net-host", &pod_docker_no_cgroup, { OS, "--net", "host", "-e", "PATH=/opt/bin:/usr/bin" } },
	{ "pod-docker-no-cgroup-systemd", &pod_docker_no_cgroup, { OS, "--init", "systemd" } },
	{ "pod-docker-no-cgroup-user", &pod_docker_no_cgroup, { OS, "-u", "dev" } },
	{ "pod-docker-no-cgroup-json", &pod_docker_no_cgroup, { OS, "--format", "json" } },
	{ "pod-docker-no-crun",      &pod_docker_no_crun, { OS } },
	{ "pod-docker-no-crun-berth", &pod_docker_no_crun, { OS, "--init", "berth" } },
	{ "user-docker-systemd",     &user_docker,       { OS } },
	{ "user-docker-berth",       &user_docker,       { OS, "--init", "berth" } },
	{ "user-docker-berth-shell", &user_docker,       { OS, "--init", "berth", "-it" } },
	{ "user-docker-berth-by-scope", &user_docker_session, { OS, "--init", "berth" } },
	{ "pod-host-systemd",        &pod_host,          { NULL } },
	{ "pod-host-net-host",       &pod_host,          { "--net", "host", "--state", "/data/ws", "bash" } },
	{ "pod-host-etc-large",      &pod_host_etc_large, { "true" } },
	{ "pod-host-json",           &pod_host,          { "--format", "json", "true" } },
	{ "user-net-relay",          &user_net,          { OS, "--net", "relay", "true" } },
	{ "user-net-auto",           &user_net,          { OS, "--net", "auto", "true" } },
	{ "user-net-auto-blind",     &user_scope,        { OS, "--net", "auto", "true" } },
	{ "user-net-egress",         &user_net,          { OS, "--net", "relay", "--egress", "allow:10.0.0.0/8,443/tcp", "--egress", "allow:10.0.0.0/16,443",
	                                                   "--egress-default", "deny", "--connections-per-minute", "100", "true" } },
	{ "user-net-rates",          &user_net,          { OS, "--net", "auto", "--rate-down", "100mbit", "--rate-up", "10MB", "true" } },
	{ "user-net-paced",          &user_net_undiverted, { OS, "--net", "relay", "--rate-down", "10mbit", "--rate-up", "10mbit", "true" } },
	{ "user-net-pasta",          &user_net_pasta,    { OS, "--net", "pasta", "--rate-down", "10mbit", "--egress", "deny:10.0.0.0/8", "true" } },
	{ "user-net-pasta-auto",     &user_net_pasta_only, { OS, "--net", "auto", "true" } },
	{ "user-net-auto-unrelayed", &user_net_unrelayed, { OS, "--net", "auto", "true" } },
	{ "user-net-pasta-publish",  &user_net_pasta,    { OS, "--net", "pasta", "-p", "8080:80", "true" } },
	{ "user-net-pasta-auto-publish", &user_net_pasta_only, { OS, "--net", "auto", "-p", "8080:80", "true" } },
	{ "user-net-no-tun",         &user_net_no_tun,   { OS, "--net", "pasta", "true" } },
	{ "user-net-no-pasta",       &user_net,          { OS, "--net", "pasta", "true" } },
	{ "user-net-slow",           &user_net_nested,   { OS, "--net", "relay", "--rate-up", "10mbit", "true" } },
	{ "user-net-systemd",        &user_net_resolved, { OS, "--net", "relay" } },
	{ "user-net-link",           &user_net_resolved, { OS, "--net", "relay", "true" } },
	{ "user-net-full",           &user_net_full,     { OS, "--net", "relay", "true" } },
	{ "user-net-rate-none",      &user_scope,        { OS, "--net", "none", "--rate-down", "1mbit", "true" } },
	{ "user-net-rate-blind",     &user_scope,        { OS, "--net", "auto", "--rate-up", "1mbit", "true" } },
	{ "user-net-publish",        &user_net,          { OS, "--net", "auto", "-p", "8080:80", "-p", "[::1]:5300-5309:53-62/udp", "-p", "auto", "--publish-allow", "1024-65535", "--publish-deny", "22,5432", "true" } },
	{ "user-metrics",            &user_metrics,      { OS, "--metrics-listen", "[::1]:9090" } },
	{ "user-metrics-missing",    &user_scope,        { OS, "--metrics-listen", "unix:/run/ws.sock" } },
	{ "user-bootstrap",          &user_scope,        { OS, "-u", "dev", "--bootstrap", "/srv/agent.sh", "--bootstrap-restart", "on-failure:3" } },
	{ "user-hooks",              &user_scope,        { OS, "--hook-poststop", "/opt/after", "--hook-prestart", "/opt/before --all", "--hook-prestart", "/opt/then",
	                                                   "--hook-poststart", "/opt/when", "--hook-timeout", "5", "true" } },
	{ "user-hooks-json",         &user_scope,        { OS, "--hook-prestart", "/opt/before --all", "--hook-poststop", "/opt/after", "--format", "json", "true" } },
	{ "user-hook-held",          &user_hook_held,    { OS, "-v", "/src:/work", "--hook-prestart", "/src/hook", "true" } },
	{ "user-hook-script-held",   &user_hook_script_held, { OS, "-v", "/src:/work", "--hook-poststart", "/opt/hook", "true" } },
	{ "user-hook-of-others",     &user_hook_of_others, { OS, "--hook-poststop", "/opt/hook", "true" } },
	{ "user-hook-of-inside",     &user_hook_of_inside, { OS, "--hook-poststop", "/opt/hook", "true" } },
	{ "user-hook-of-group",      &user_hook_of_group, { OS, "--hook-poststop", "/opt/mine", "--hook-poststop", "/opt/theirs", "true" } },
	{ "user-hook-missing",       &user_hook_missing, { OS, "--hook-poststop", "/opt/a", "--hook-prestart", "/opt/b", "true" } },
	{ "user-net-pasta-permissive", &user_net_pasta,  { OS, "--net", "pasta", "--egress", "deny:10.0.0.0/8", "--audit-permissive", "--audit-log", "/log", "true" } },
	{ "user-net-pasta-permissive-calls", &user_net_pasta, { OS, "--net", "pasta", "--audit-permissive", "--audit-log", "/log", "true" } },
	{ "user-unmask",             &user_scope,        { OS, "--unmask", "/proc/interrupts", "--unmask", "/sys/firmware", "true" } },
	{ "user-ulimits",            &user_scope,        { OS, "--ulimit", "nofile=1024:4096", "--ulimit", "core=0", "--ulimit", "nofile=2048:1048576",
	                                                   "--ulimit", "stack=8m:unlimited", "-u", "dev", "true" } },
	{ "user-ulimit-too-much",    &user_scope,        { OS, "--ulimit", "nofile=1024:1048577", "true" } },
	{ "user-ulimit-unlimited",   &user_scope,        { OS, "--ulimit", "memlock=-1", "true" } },
	{ "user-ulimit-best-effort", &user_scope,        { OS, "--ulimit", "memlock=-1", "--ulimit", "nofile=1024:1048577",
	                                                   "--best-effort", "ulimit", "true" } },
	{ "user-ulimit-elsewhere",   &user_scope,        { OS, "--ulimit", "nproc=100", "true" } },
	{ "bad-ulimit-denied",       &user_scope,        { OS, "--ulimit", "core=0", "--seccomp-deny", "keyctl,prlimit64", "true" } },
	{ "user-ulimit-denied-other", &user_scope,       { OS, "--ulimit", "nofile=9999999", "--seccomp-deny", "keyctl,setrlimit", "true" } },
	{ "user-ulimit-unknown",     &user_scope,        { OS, "--ulimit", "nofiles=100", "true" } },
	{ "user-unmask-unknown",     &user_scope,        { OS, "--unmask", "/proc/interrupt", "true" } },
	{ "user-hook-timeout",       &user_scope,        { OS, "--hook-timeout", "5", "true" } },
	{ "user-idle",               &user_net,          { OS, "--net", "auto", "-p", "2222:22", "--idle-stop", "30m", "--idle-ports", "22", "--idle-warn", "/srv/save.sh", "-t", "true" } },
	{ "user-idle-alone",         &user_scope,        { OS, "--idle-stop", "90", "--idle-cpu", "150", "-d", "-t", "true" } },
	{ "user-idle-host",          &user_scope,        { OS, "--net", "host", "--idle-stop", "90", "true" } },
	{ "user-idle-cpu-alone",     &user_scope,        { OS, "--idle-cpu", "7", "true" } },
	{ "user-hosts",              &user_net,          { OS, "--net", "relay", "--add-host", "db:10.0.0.5", "--add-host", "pod:host-gateway", "true" } },
	{ "user-hosts-layered",      &user_image,        { "--image", "debian:12", "--net", "none", "--add-host", "db:10.0.0.5", "--", "true" } },
	{ "user-hosts-none",         &user_scope,        { OS, "--net", "none", "--add-host", "pod:host-gateway", "true" } },
	{ "user-hosts-place",        &user_scope,        { OS, "--net", "none", "--add-host", "db:10.0.0.5", "true" } },
	{ "user-tz",                 &user_zone,         { "--rootfs", "/srv/debian:O", "--tz", "Europe/Berlin", "true" } },
	{ "user-tz-pod",             &user_zone_pod,     { "--rootfs", "/srv/debian:O", "--tz", "local", "true" } },
	{ "user-tz-place",           &user_zone,         { OS, "--tz", "Europe/Berlin", "true" } },
	{ "user-tz-none",            &user_scope,        { "--rootfs", "/srv/debian:O", "--tz", "local", "true" } },
	{ "user-bootstrap-stdin",    &user_scope,        { OS, "--bootstrap", "-", "true" } },
	{ "user-volume-own",         &user_scope,        { OS, "-u", "dev", "-v", "/src:/data:U", "-v", "/key:/etc/key:ro", "true" } },
	{ "user-volume-own-ro",      &user_scope,        { OS, "-v", "/src:/data:ro,U", "true" } },
	{ "user-storage",            &user_storage,      { OS, "-v", "/foreign:/home", "-v", "/fixed:/opt", "-v", "/full:/var/lib/docker", "--state", "/st", "--rootfs", "/srv/debian:O", "true" } },
	{ "user-storage-layers",     &user_storage_overlay, { OS, "-v", "/l:/var/lib/docker", "true" } },
	{ "user-seed",               &user_storage,      { OS, "-v", "/foreign:/var/lib/docker-seed:seed", "true" } },
	{ "user-storage-best-effort", &user_storage_overlay, { OS, "-v", "/l:/var/lib/docker", "--best-effort", "storage", "true" } },
	{ "user-storage-state",      &user_storage_overlay, { "--rootfs", "/srv/debian:O", "--state", "/st", "true" } },
	{ "user-net-publish-none",   &user_scope,        { OS, "-p", "8080:80", "true" } },
	{ "user-net-publish-host",   &user_scope,        { OS, "--net", "host", "-p", "auto", "true" } },
	{ "user-net-publish-blind",  &user_scope,        { OS, "--net", "auto", "-p", "8080:80", "true" } },
	{ "user-volume-top",         &user_scope,        { OS, "-u", "dev", "-v", "/src:/data:own", "-v", "/src:/more:own=0", "true" } },
	{ "user-image",              &user_image,        { "--image", "debian:12" } },
	{ "user-image-command",      &user_image,        { "--image", "debian:12", "-e", "LANG=de_DE.UTF-8", "-u", "dev", "-w", "/", "--", "make", "all" } },
	{ "user-image-entrypoint",   &user_image,        { "--image", "debian:12", "--image-entrypoint", "/bin/cat", "-v", "/src:/data", "--", "/etc/hosts" } },
	{ "user-image-none",         &user_image,        { "--image", "debian:12", "--image-entrypoint", "", "--init", "none" } },
	{ "user-image-state",        &user_image_upper,  { "--image", "debian:12", "--state", "/var/lib/ws", "true" } },
	{ "user-image-no-more",      &user_image_upper,  { "--rootfs", "/srv/debian:O", "--state", "/var/lib/ws", "true" } },
	{ "user-image-systemd",      &user_image_systemd, { "--image", "oci:/srv/os", "-v", "/src:/work" } },
	{ "user-image-and-rootfs",   &user_image,        { "--image", "debian:12", "--rootfs", "/srv/debian" } },
	{ "user-image-bad",          &user_image,        { "--image", "Debian:12", "true" } },
	{ "user-entrypoint-alone",   &user_scope,        { OS, "--image-entrypoint", "/bin/cat" } },
	{ "pod-image-docker",        &pod_image_docker,  { "--image", "debian:12" } },
	{ "pod-host-net-relay",      &pod_host_net,      { "--net", "relay", "true" } },
	{ "node-root",               &node_root,         { OS, "true" } },
	{ "node-root-systemd",       &node_root,         { OS } },
	{ "node-root-pids",          &node_root_no_pids, { OS, "--pids", "512", "true" } },
	{ "hybrid-best-effort",      &node_root_no_pids, { OS, "--cpus", "1", "--io", "8:0:rbps=1m", "--hugetlb", "2m:4m", "--memory",
	                                                   "1g", "--best-effort", "cpus,io,memory", "true" } },
	{ "hybrid-limits",           &user_hybrid,       { OS, "--cpus", "1.5", "--cpu-weight", "50", "--cpuset", "0-3", "--memory", "512m",
	                                                   "--swap", "1g", "--pids", "100", "--hugetlb", "2m:4m", "true" } },
	{ "hybrid-limits-systemd",   &node_root_hybrid,  { OS, "--memory", "512m", "--io", "8:0:rbps=1m,wiops=9,rbps=2m" } },
	{ "hybrid-io-owned",         &user_hybrid,       { OS, "--io", "8:0:rbps=1m", "true" } },
	{ "hybrid-not-in-v1",        &user_hybrid,       { OS, "--memory-high", "1g", "--swap", "1g", "--io", "8:0:rbps=1m",
	                                                   "--best-effort", "memory-high,swap,io", "true" } },
	{ "hybrid-no-writer",        &user_hybrid_no_writer, { OS, "--memory", "1g", "true" } },
	{ "node-root-lent",          &node_root_lent,    { OS, "-i", "--pids", "512", "true" } },
	{ "node-root-lent-no-clone3", &node_root_lent_no_clone3, { OS, "-i", "true" } },
	/* Options that contradict each other are refused before anything is looked at. */
	{ "bad-none-without-command", &pod,              { OS, "--init", "none" } },
	{ "bad-systemd-with-command", &pod,              { OS, "--init", "systemd", "ls" } },
	{ "bad-state-in-place",      &pod,               { OS, "--state", "/var/lib/ws" } },
/* clang-format on */
#undef OS
};

/* What comes before the options. A pod whose network was not looked at gets none. */
static size_t first_words(const struct plan_case *c, const char *ret[5])
{
	bool net = c->facts->net;

	for (size_t i = 0; c->option[i]; i++)
		net |= !strcmp(c->option[i], "--net") ||
		       !strcmp(c->option[i], "--policy");
	ret[0] = "plan";
	ret[1] = "--name";
	ret[2] = "ws";
	ret[3] = "--net";
	ret[4] = "none";
	return net ? 3 : 5;
}

static void print_command_line(const struct plan_case *c, FILE *out)
{
	const char *first[5];
	size_t n = first_words(c, first);

	(void)fprintf(out, "$ berth");
	for (size_t i = 0; i < n; i++)
		(void)fprintf(out, " %s", first[i]);
	for (size_t i = 0; c->option[i]; i++)
		(void)fprintf(out, strpbrk(c->option[i], " $;") ? " '%s'" : " %s",
		              c->option[i]);
	(void)fprintf(out, "\n");
}

/* As main.c says it. */
static void print_failure(const struct err *err, FILE *out)
{
	(void)fprintf(out, "berth: %s: %s: %s\n", err->step, err->text,
	              strerror(err->code));
	if (err->hint[0])
		(void)fprintf(out, "hint: %s\n", err->hint);
}

/* Options as parsed: the part before the planner, which may ask the system. */
struct parsed {
	struct arena arena;
	struct config config;
	bool json;
	struct err err;
	int r;
};

static void parse(const struct plan_case *c, struct parsed *ret)
{
	const char *first[5];
	char **argv;
	int argc = 0;

	*ret = (struct parsed){ 0 };
	argv = arena_alloc(&ret->arena, (WORDS_MAX + 6) * sizeof(*argv));
	if (!argv)
		abort();
	for (size_t i = 0, n = first_words(c, first); i < n; i++)
		argv[argc++] = (char *)arena_dup(&ret->arena, first[i]);
	for (size_t i = 0; c->option[i]; i++)
		argv[argc++] = (char *)arena_dup(&ret->arena, c->option[i]);
	ret->r = config_parse(argc, argv, &ret->arena, &ret->config, &ret->json,
	                      &ret->err);
}

/* What "berth policy explain POLICY namespaces" says is what init is given. */
static void hold_to_namespaces(const char *name, const struct plan *plan,
                               const struct config *config)
{
	unsigned int made = 0;

	for (size_t i = 0; i < plan->n; i++) {
		const struct step *s = &plan->step[i];

		if (s->kind == STEP_UNSHARE ||
		    (s->kind == STEP_SPAWN && !strcmp(s->target, "init")))
			made |= (unsigned int)s->flags;
	}
	if (made != config_namespaces(config)) {
		(void)fprintf(stderr, "%s: other namespaces than explain tells of\n",
		              name);
		exit(1);
	}
}

/* Plans and prints. Return: bit i of @ret_kinds for a step of kind i in it. */
static void plan(const struct plan_case *c, const struct parsed *parsed, FILE *out,
                 uint64_t *ret_kinds)
{
	cleanup_plan struct plan plan = { 0 };
	cleanup_arena struct arena arena = { 0 };
	struct config config = parsed->config;
	struct err err = parsed->err;
	int r = parsed->r;

	if (r == 0 && config.image) {
		config.rootfs = c->facts->image->path;
		config.overlay = true;
		config.image_digest = c->facts->image->digest;
		r = plan_image(&config, c->facts, &arena, &err);
	}
	if (r == 0)
		r = plan_build(&config, c->facts, &plan, &err);
	if (r == 0)
		hold_to_namespaces(c->name, &plan, &config);
	if (r == 0 && parsed->json)
		r = plan_print_json(&plan, &config, out, &err);
	else if (r == 0)
		plan_print(&plan, &config, out);
	if (r < 0)
		print_failure(&err, out);
	for (size_t i = 0; i < plan.n; i++)
		*ret_kinds |= UINT64_C(1) << plan.step[i].kind;
}

/* As a string, to be freed. */
static char *plan_text(const struct plan_case *c, const struct parsed *parsed,
                       uint64_t *ret_kinds)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		abort();
	plan(c, parsed, out, ret_kinds);
	(void)fclose(out);
	return text;
}

/* A kernel filter that lets memory be had, one text be written, and the end come. */
static void allow_memory_only(void)
{
	static const int allowed[] = {
		SYS_brk,      SYS_mmap,    SYS_mremap, SYS_munmap,
		SYS_mprotect, SYS_madvise, SYS_write,  SYS_exit_group,
	};
	struct sock_filter filter[2 * N_ELEMENTS(allowed) + 2];
	struct sock_fprog program = { .filter = filter };

	filter[program.len++] = (struct sock_filter)BPF_STMT(
		BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
	for (size_t i = 0; i < N_ELEMENTS(allowed); i++) {
		filter[program.len++] = (struct sock_filter)BPF_JUMP(
			BPF_JMP | BPF_JEQ | BPF_K, (unsigned int)allowed[i], 0, 1);
		filter[program.len++] =
			(struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	}
	filter[program.len++] =
		(struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0)
		_exit(3);
}

/* Ends without what a sanitizer does before a function that does not return. */
static void end(int status)
{
	(void)syscall(SYS_exit_group, status);
}

/* Whether @c can be planned, twice, with the same bytes, where no system call works. */
static int child_of_pure(const struct plan_case *c, const struct parsed *parsed,
                         const char *want)
{
	uint64_t kinds = 0;
	char *text;

	allow_memory_only();
	if (!c)
		return (int)syscall(SYS_getppid);
	text = plan_text(c, parsed, &kinds);
	return strcmp(text, want) == 0 ? 0 : 4;
}

static int run_pure(const struct plan_case *c, const struct parsed *parsed,
                    const char *want)
{
	int status = 0;
	pid_t pid = fork();

	if (pid == 0)
		end(child_of_pure(c, parsed, want));
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return -1;
	return status;
}

static bool check_pure(const struct plan_case *c, uint64_t *ret_kinds)
{
	struct parsed parsed;
	char *first, *second;
	int status;
	bool ok = true;

	parse(c, &parsed);
	first = plan_text(c, &parsed, ret_kinds);
	second = plan_text(c, &parsed, ret_kinds);
	if (strcmp(first, second) != 0) {
		(void)printf("%s: planned twice, two plans\n", c->name);
		ok = false;
	}
	if (strstr(first, "(null)")) {
		(void)printf("%s: a text is missing\n", c->name);
		ok = false;
	}
	status = run_pure(c, &parsed, first);
	if (status != 0) {
		(void)printf("%s: %s\n", c->name,
		             WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS
		                     ? "the planner made a system call"
		                     : "not the same plan where no system call works");
		ok = false;
	}
	free(first);
	free(second);
	arena_done(&parsed.arena);
	return ok;
}

static int check(void)
{
	int control = run_pure(NULL, NULL, NULL);
	uint64_t kinds = 0;
	bool ok = true;

	if (!WIFSIGNALED(control) || WTERMSIG(control) != SIGSYS) {
		(void)printf("the filter lets getppid() pass, so it proves nothing\n");
		ok = false;
	}
	for (size_t i = 0; i < N_ELEMENTS(cases); i++)
		ok = check_pure(&cases[i], &kinds) && ok;
	for (size_t i = 0; i < STEP_MAX; i++)
		if (!(kinds & UINT64_C(1) << i)) {
			(void)printf("no case shows the step '%s'\n", step_name[i]);
			ok = false;
		}
	return ok ? 0 : 1;
}

static int show(const char *name)
{
	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		struct parsed parsed;
		uint64_t kinds = 0;

		if (strcmp(cases[i].name, name) != 0)
			continue;
		print_command_line(&cases[i], stdout);
		parse(&cases[i], &parsed);
		plan(&cases[i], &parsed, stdout, &kinds);
		arena_done(&parsed.arena);
		return 0;
	}
	(void)fprintf(stderr, "plan_golden: no case '%s'\n", name);
	return 2;
}

int main(int argc, char **argv)
{
	if (argc == 2 && !strcmp(argv[1], "--check"))
		return check();
	if (argc == 2 && strcmp(argv[1], "--list") != 0)
		return show(argv[1]);
	for (size_t i = 0; argc == 2 && i < N_ELEMENTS(cases); i++)
		(void)printf("%s\n", cases[i].name);
	return argc == 2 ? 0 : 2;
}
