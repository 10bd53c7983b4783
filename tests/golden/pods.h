#ifndef GOLDEN_PODS_H
#define GOLDEN_PODS_H

#include "facts.h"

/* What pods and machines are, as probe() would say it of them. */
extern const struct facts user_session, user_scope, user_few, user_metrics,
	user_no_cgroup, user_hook_held, user_hook_script_held, user_hook_of_others,
	user_hook_of_inside, user_hook_of_group, user_hook_missing, user_root_scope,
	user_one_id, user_no_newuidmap, user_no_new_privs, user_few_ids,
	pod_user_ids_elsewhere, pod_user_weak_helper, pod_user_file_caps,
	user_own_in_range, user_host, user_host_one_id, pod, pod_fresh_cgroup,
	pod_no_cgroup, pod_hidden_cgroup, pod_masked, pod_sys_masked, pod_in_leaf,
	pod_no_clone3, pod_no_init, pod_no_caps, pod_two_extents, pod_oom_highest,
	user_docker, user_docker_session, pod_docker, pod_docker_masked,
	pod_docker_no_cgroup, pod_docker_no_crun, pod_host, pod_host_etc_large, node_root,
	node_root_no_pids, node_root_lent, node_root_lent_no_clone3, pod_read_only,
	user_hybrid, user_hybrid_no_writer, node_root_hybrid, user_net,
	user_net_undiverted, user_net_pasta, user_net_pasta_only, user_net_unrelayed,
	user_net_no_tun, user_net_nested, user_net_full, user_net_resolved, user_zone,
	user_zone_pod, user_storage, user_storage_overlay, pod_host_net, user_image,
	user_image_upper, user_image_systemd, pod_image_docker;

#endif
